/* Who may open a pipe: SIDs, and the security descriptor made of them. It must
 * never give anybody but the owner and the system the right to create further
 * instances of the pipe, which is the right to answer in the server's place. */
#include "win32.h"

#include <sddl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../alloc.h"

/* Nobody from another machine (which PIPE_REJECT_REMOTE_CLIENTS says too), and
 * everything to owner and system. */
#define NO_NETWORK "(D;;GA;;;NU)"
#define NO_ANONYMOUS "(D;;GA;;;AN)"
#define OWNER_AND_SYSTEM "(A;;GA;;;%s)(A;;GA;;;SY)"
#define SOMEBODY "(A;;0x%x;;;%s)"

/* All of the above with three SIDs in it. */
#define SDDL_SIZE (4 * IPC_CHANNEL_USER_SIZE)

/* DOMAIN\ACCOUNT, 256 units each at most. */
#define ACCOUNT_UNITS 514

int ipc__sid_text(PSID sid, char text[IPC_CHANNEL_USER_SIZE]) {
  char* made;
  int length;

  if (!ConvertSidToStringSidA(sid, &made)) return UV_EACCES;
  length = snprintf(text, IPC_CHANNEL_USER_SIZE, "%s", made);
  LocalFree(made);
  return length < IPC_CHANNEL_USER_SIZE ? 0 : UV_EACCES;
}

int ipc__token_user(HANDLE token, char user[IPC_CHANNEL_USER_SIZE]) {
  union {
    TOKEN_USER user;
    BYTE bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
  } info;
  DWORD size;

  if (!GetTokenInformation(token, TokenUser, &info, sizeof(info), &size)) {
    return UV_EACCES;
  }
  return ipc__sid_text(info.user.User.Sid, user);
}

int ipc__my_user(char user[IPC_CHANNEL_USER_SIZE]) {
  HANDLE token;
  int err;

  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
    return UV_EACCES;
  }
  err = ipc__token_user(token, user);
  CloseHandle(token);
  return err;
}

/* "S-1-..." to a SID of ours. */
static int parse_sid(const wchar_t* text, ipc__sid_t* sid) {
  PSID made;
  BOOL ok;

  if (!ConvertStringSidToSidW(text, &made)) return UV_ENOENT;
  ok = CopySid(sizeof(*sid), sid, made);
  LocalFree(made);
  return ok ? 0 : UV_ENOENT;
}

int ipc__group_sid(const char* group, ipc__sid_t* sid) {
  wchar_t name[ACCOUNT_UNITS];
  wchar_t domain[ACCOUNT_UNITS];
  DWORD size = sizeof(*sid);
  DWORD units = ACCOUNT_UNITS;
  SID_NAME_USE use;

  if (ipc__widen(group, name, ACCOUNT_UNITS) != 0) return UV_ENOENT;
  if (_wcsnicmp(name, L"S-1-", 4) == 0) return parse_sid(name, sid);
  if (!LookupAccountNameW(NULL, name, sid, &size, domain, &units, &use)) {
    return UV_ENOENT;
  }
  switch (use) {
    case SidTypeGroup:
    case SidTypeAlias:
    case SidTypeWellKnownGroup:
      return 0;
    default: /* a user, a computer, ... */
      return UV_ENOENT;
  }
}

/* Whether we are ourselves what NO_NETWORK keeps out, as in an SSH session: it
 * would refuse our own second instance. PIPE_REJECT_REMOTE_CLIENTS remains. */
static int am_network_logon(void) {
  ipc__sid_t network;
  DWORD size = sizeof(network);
  BOOL is_member = FALSE;

  return CreateWellKnownSid(WinNetworkSid, NULL, &network, &size) &&
         CheckTokenMembership(NULL, &network, &is_member) && is_member;
}

/* Appends, printf-like; SDDL_SIZE is enough for all that is ever appended. */
static void append(char sddl[SDDL_SIZE], const char* format, ...) {
  size_t length = strlen(sddl);
  va_list args;

  va_start(args, format);
  vsnprintf(sddl + length, SDDL_SIZE - length, format, args);
  va_end(args);
}

/* The default descriptor in words. The owner is named, because a client takes
 * the owner for the server's user, and an administrator's default owner is the
 * group of all administrators. */
static int describe(const ipc__listen_config_t* config, char sddl[SDDL_SIZE]) {
  char user[IPC_CHANNEL_USER_SIZE];
  int err;

  err = ipc__my_user(user);
  if (err != 0) return err;

  sddl[0] = '\0';
  append(sddl, "O:%sD:P", user);
  if (!am_network_logon()) append(sddl, NO_NETWORK);
  if (config->peers == IPC_CHANNEL_PEERS_ANYBODY) append(sddl, NO_ANONYMOUS);
  append(sddl, OWNER_AND_SYSTEM, user);
  if (config->peers == IPC_CHANNEL_PEERS_ANYBODY) {
    append(sddl, SOMEBODY, (unsigned int) IPC__CLIENT_RIGHTS, "WD");
  }
  if (config->group_id != NULL) {
    append(sddl, SOMEBODY, (unsigned int) IPC__CLIENT_RIGHTS, config->group_id);
  }
  return 0;
}

static int convert(const ipc_allocator_t* allocator,
                   const char* sddl,
                   PSECURITY_DESCRIPTOR* descriptor) {
  wchar_t* wide = NULL;
  int err;

  err = ipc__widen_new(allocator, sddl, &wide);
  if (err == 0 && !ConvertStringSecurityDescriptorToSecurityDescriptorW(
                      wide, SDDL_REVISION_1, descriptor, NULL)) {
    err = ipc__win32_error(GetLastError());
    if (err != UV_ENOMEM) err = UV_EINVAL;
  }
  ipc__free(allocator, wide);
  return err;
}

int ipc__sddl_check(const ipc_allocator_t* allocator, const char* sddl) {
  PSECURITY_DESCRIPTOR descriptor = NULL;
  int err;

  err = convert(allocator, sddl, &descriptor);
  if (err == 0) LocalFree(descriptor);
  return err;
}

static int has_owner(PSECURITY_DESCRIPTOR descriptor) {
  BOOL is_default;
  PSID owner = NULL;

  return GetSecurityDescriptorOwner(descriptor, &owner, &is_default) &&
         owner != NULL;
}

/* The user's SDDL; where it names no owner, with us as the owner. */
static int convert_users(const ipc__listen_config_t* config,
                         PSECURITY_DESCRIPTOR* descriptor) {
  size_t size = strlen(config->sddl) + IPC_CHANNEL_USER_SIZE + sizeof("O:");
  char user[IPC_CHANNEL_USER_SIZE];
  char* owned;
  int err;

  err = convert(config->allocator, config->sddl, descriptor);
  if (err != 0 || has_owner(*descriptor)) return err;
  LocalFree(*descriptor);
  *descriptor = NULL;

  err = ipc__my_user(user);
  if (err != 0) return err;
  owned = ipc__malloc(config->allocator, size);
  if (owned == NULL) return UV_ENOMEM;
  snprintf(owned, size, "O:%s%s", user, config->sddl);
  err = convert(config->allocator, owned, descriptor);
  ipc__free(config->allocator, owned);
  return err;
}

int ipc__descriptor_make(const ipc__listen_config_t* config,
                         PSECURITY_DESCRIPTOR* descriptor) {
  char sddl[SDDL_SIZE];
  int err;

  if (config->sddl != NULL) return convert_users(config, descriptor);
  err = describe(config, sddl);
  return err != 0 ? err : convert(config->allocator, sddl, descriptor);
}
