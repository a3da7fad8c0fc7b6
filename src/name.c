/* Names, as far as they are the same on every system: what a bare name may be,
 * and the two public functions about names. What a name becomes is the seam's
 * business; nothing here knows a path, a pipe or an operating system. */
#include "name.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "platform.h"

/* Each of them means something in a name on some system. */
static const char forbidden[] = "/\\:*?\"<>|";

/* No bare name begins so, for the ':'. */
#define SYSTEM_PREFIX "system:"

int ipc__name_refuse(ipc_name_info_t* info,
                     int status,
                     const char* format,
                     ...) {
  va_list arguments;

  va_start(arguments, format);
  vsnprintf(info->reason, sizeof(info->reason), format, arguments);
  va_end(arguments);
  return status;
}

/* How many bytes must follow this first one, or -1; `low` and `high` bound the
 * second, which is what keeps out overlong forms, surrogates and everything
 * above U+10FFFF (RFC 3629, section 4). */
static int utf8_tail(unsigned char first,
                     unsigned char* low,
                     unsigned char* high) {
  *low = 0x80;
  *high = 0xbf;
  if (first < 0x80) return 0;
  if (first < 0xc2) return -1;
  if (first < 0xe0) return 1;
  if (first == 0xe0) *low = 0xa0;
  if (first == 0xed) *high = 0x9f;
  if (first < 0xf0) return 2;
  if (first == 0xf0) *low = 0x90;
  if (first == 0xf4) *high = 0x8f;
  return first < 0xf5 ? 3 : -1;
}

ptrdiff_t ipc__utf8_check(const char* text) {
  const unsigned char* at;
  unsigned char low;
  unsigned char high;
  int tail;
  int i;

  at = (const unsigned char*) text;
  while (*at != '\0') {
    tail = utf8_tail(*at, &low, &high);
    if (tail < 0) return (const char*) at - text;
    for (i = 1; i <= tail; i++) {
      if (at[i] < low || at[i] > high) return (const char*) at - text;
      low = 0x80;
      high = 0xbf;
    }
    at += tail + 1;
  }
  return -1;
}

/* C0, DEL, and C1, whose two bytes in UTF-8 are C2 80 to C2 9F. */
static int is_control(const unsigned char* at) {
  return at[0] < 0x20 || at[0] == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0);
}

const char* ipc__name_system_part(const char* name) {
  size_t length;

  length = strlen(SYSTEM_PREFIX);
  return strncmp(name, SYSTEM_PREFIX, length) == 0 ? name + length : NULL;
}

int ipc__name_check_bare(const char* name, ipc_name_info_t* info) {
  const unsigned char* at;
  const char* bare;
  ptrdiff_t wrong;
  int number;

  bare = ipc__name_system_part(name);
  if (bare != NULL && *bare == '\0')
    return ipc__name_refuse(info, UV_EINVAL, "nothing follows " SYSTEM_PREFIX);
  if (bare == NULL) bare = name;
  if (*bare == '\0')
    return ipc__name_refuse(info, UV_EINVAL, "the name is empty");
  if (*bare == '.' || *bare == '@')
    return ipc__name_refuse(info, UV_EINVAL,
                            "a bare name may not begin with '%c'", *bare);
  if (strchr(". ", name[strlen(name) - 1]) != NULL)
    return ipc__name_refuse(info, UV_EINVAL,
                            "a bare name may not end in '.' or a space, which "
                            "Windows drops");
  wrong = ipc__utf8_check(name);
  if (wrong >= 0)
    return ipc__name_refuse(info, UV_EINVAL,
                            "not UTF-8: byte %d of the name, 0x%02x",
                            (int) wrong + 1, (unsigned char) name[wrong]);

  for (at = (const unsigned char*) bare; *at != '\0'; at++) {
    number = (int) ((const char*) at - name) + 1;
    if (is_control(at))
      return ipc__name_refuse(info, UV_EINVAL,
                              "byte %d of the name is a control character",
                              number);
    if (strchr(forbidden, *at) != NULL)
      return ipc__name_refuse(info, UV_EINVAL,
                              "byte %d of the name is '%c'; a bare name has "
                              "none of %s",
                              number, *at, forbidden);
  }
  return 0;
}

/* How much of `text` fits into `room` bytes without a cut in a character. */
static size_t fitting(const char* text, size_t room) {
  size_t length;

  length = strlen(text);
  if (length <= room) return length;
  length = room;
  while (length > 0 && ((unsigned char) text[length] & 0xc0) == 0x80) length--;
  return length;
}

void ipc__name_join(ipc_name_info_t* info, const char* const* parts) {
  size_t length;
  size_t used;
  size_t room;

  info->os_name_length = 0;
  used = 0;
  room = sizeof(info->os_name) - 1;
  for (; *parts != NULL; parts++) {
    info->os_name_length += strlen(*parts);
    length = fitting(*parts, room);
    memcpy(info->os_name + used, *parts, length);
    used += length;
    /* Nothing may follow what was cut. */
    room = length < strlen(*parts) ? 0 : room - length;
  }
  info->os_name[used] = '\0';
}

int ipc__name_is_abstract(const char* name) {
  return name != NULL && name[0] == '@';
}

int ipc_name_resolve(const char* name, ipc_name_info_t* info) {
  if (info == NULL) return UV_EINVAL;
  memset(info, 0, sizeof(*info));
  if (name == NULL)
    return ipc__name_refuse(info, UV_EINVAL, "there is no name");
  if (ipc__name_is_abstract(name) && !IPC__HAS_ABSTRACT_NAMES)
    return ipc__name_refuse(info, UV_ENOTSUP,
                            "a name that begins with '@' is abstract, which "
                            "only Linux has");
  return ipc__name_resolve(name, info);
}

int ipc_name_probe(const char* name,
                   ipc_name_state_t* state,
                   ipc_peer_t* peer) {
  ipc_name_info_t info;
  ipc_peer_t found;
  int err;

  if (peer != NULL) memset(peer, 0, sizeof(*peer));
  if (state == NULL) return UV_EINVAL;
  err = ipc_name_resolve(name, &info);
  if (err != 0) return err;

  memset(&found, 0, sizeof(found));
  err = ipc__name_probe(info.os_name, ipc__name_place(name), state, &found);
  if (err == 0 && *state == IPC_CHANNEL_NAME_LIVE && peer != NULL)
    *peer = found;
  return err;
}
