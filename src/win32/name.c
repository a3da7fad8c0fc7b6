/* Names on Windows: \\.\pipe\NAME, which a bare name and "system:NAME" become,
 * for pipes are the machine's anyway, or \\?\pipe\NAME. It must never let a
 * name through that Windows would take to another machine or turn into another
 * name. */
#include "win32.h"

#include <string.h>

#include "../name.h"

#define PREFIX "\\\\.\\pipe\\"
#define PREFIX_LENGTH (sizeof(PREFIX) - 1)

static int is_slash(char c) {
  return c == '\\' || c == '/';
}

static int is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* \\.\pipe\ or \\?\pipe\, "pipe" in any case, backslashes only. */
static int has_pipe_prefix(const char* name) {
  return strncmp(name, "\\\\", 2) == 0 && (name[2] == '.' || name[2] == '?') &&
         name[3] == '\\' && _strnicmp(name + 4, "pipe", 4) == 0 &&
         name[8] == '\\';
}

/* UTF-16 units of valid UTF-8: one for each character, two for those of four
 * bytes. */
static size_t utf16_length(const char* text) {
  size_t units = 0;

  for (; *text != '\0'; text++) {
    unsigned char byte = (unsigned char) *text;
    if ((byte & 0xC0) != 0x80) units += byte >= 0xF0 ? 2 : 1;
  }
  return units;
}

/* Under \\.\ Windows drops these, and so makes it another name. */
static int check_end(const char* name, ipc_name_info_t* info) {
  if (strchr(". ", name[strlen(name) - 1]) == NULL) return 0;
  return ipc__name_refuse(info, UV_EINVAL,
                          "a pipe's name doesn't end in '.' or a space");
}

/* The part after the prefix of a whole pipe name. */
static int check_pipe_part(const char* name, ipc_name_info_t* info) {
  const char* part = name + PREFIX_LENGTH;
  ptrdiff_t bad = ipc__utf8_check(name);

  if (bad >= 0) {
    return ipc__name_refuse(info, UV_EINVAL, "byte %d of the name is not UTF-8",
                            (int) bad + 1);
  }
  if (*part == '\0') {
    return ipc__name_refuse(info, UV_EINVAL, "nothing follows %s", PREFIX);
  }
  if (strpbrk(part, "\\/") != NULL) {
    return ipc__name_refuse(info, UV_EINVAL,
                            "a pipe's name has no slash after %s", PREFIX);
  }
  return name[2] == '.' ? check_end(name, info) : 0;
}

/* Says what kind of name it is that isn't one here. */
static int refuse_path(const char* name, ipc_name_info_t* info) {
  if (is_slash(name[0]) && is_slash(name[1])) {
    return ipc__name_refuse(info, UV_EINVAL,
                            "a name on this machine begins with %s or "
                            "\\\\?\\pipe\\, written just so",
                            PREFIX);
  }
  return ipc__name_refuse(info, UV_EINVAL,
                          "a path is not a name on Windows, only a bare name "
                          "or %sNAME is",
                          PREFIX);
}

static int check(const char* name, ipc_name_info_t* info) {
  if (has_pipe_prefix(name)) return check_pipe_part(name, info);
  if (is_slash(name[0]) || (is_letter(name[0]) && name[1] == ':')) {
    return refuse_path(name, info);
  }
  return ipc__name_check_bare(name, info);
}

int ipc__name_resolve(const char* name, ipc_name_info_t* info) {
  const char* parts[] = {PREFIX, name, NULL};
  int err;

  info->os_name_limit = IPC__PIPE_NAME_LIMIT;
  err = check(name, info);
  if (err != 0) return err;

  if (is_slash(name[0])) {
    parts[0] = "";
  } else if (ipc__name_system_part(name) != NULL) {
    parts[1] = ipc__name_system_part(name);
  }
  ipc__name_join(info, parts);
  info->os_name_length = strlen(parts[0]) + utf16_length(parts[1]);
  if (info->os_name_length > info->os_name_limit) {
    return ipc__name_refuse(
        info, UV_ENAMETOOLONG,
        "%u UTF-16 units too long: it has %u and Windows takes %u",
        (unsigned int) (info->os_name_length - info->os_name_limit),
        (unsigned int) info->os_name_length,
        (unsigned int) info->os_name_limit);
  }
  return 0;
}

ipc__place_t ipc__name_place(const char* name) {
  (void) name;
  return IPC__PLACE_ANY;
}

int ipc__name_probe(const char* os_name,
                    ipc__place_t place,
                    ipc_name_state_t* state,
                    ipc_peer_t* peer) {
  HANDLE handle;
  int err;

  (void) place;
  err = ipc__pipe_open(os_name, IPC__LOOK_RIGHTS,
                       IPC_CHANNEL_IMPERSONATION_IDENTIFICATION, &handle);
  switch (err) {
    case 0:
      *state = IPC_CHANNEL_NAME_LIVE;
      /* A server that may not be known is no less there. */
      (void) ipc__peer_get(handle, 1, peer);
      ipc__handle_close(handle);
      return 0;
    case UV_ENOENT:
      *state = IPC_CHANNEL_NAME_ABSENT;
      return 0;
    case UV_EBUSY:
      *state = IPC_CHANNEL_NAME_BUSY;
      return 0;
    default:
      return err;
  }
}
