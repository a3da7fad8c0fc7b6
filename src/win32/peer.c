/* Who is at the other end of a pipe. It must never take a process id for an
 * identity, never leave the thread in another user's clothes, and never call
 * GetNamedPipeClientComputerName (Wine aborts in it).
 *
 * What can be forged, by a user without privileges:
 *  - A process id stays with the pipe when its process has left and handed its
 *    handle to another, and then belongs to whoever gets the number next.
 *  - The token that ImpersonateNamedPipeClient gives was made by the kernel of
 *    the thread that connected, and can't be forged.
 *  - The owner of a pipe is a user of the process that made its first instance,
 *    or a group that owns things, which is only Administrators. But whom the
 *    owner lets create instances, he lets answer in his place.
 * So a client's user is that of the token, and of its process only where the
 * kernel has no token: the client wants to stay anonymous, or tracks its
 * context dynamically and has sent nothing. A number used again within the turn
 * of the loop between connecting and being asked about would deceive us then. A
 * server's user is the owner, and its process must not say otherwise. */
#include "win32.h"

#include <aclapi.h>
#include <stdlib.h>
#include <string.h>

#define SID_SYSTEM "S-1-5-18"
#define SID_ADMINISTRATORS "S-1-5-32-544"

/* The token of the client, or NULL. Opened as ourselves: as the client, who may
 * be known to us by name only, we could not even open it. */
static HANDLE impersonated_token(HANDLE pipe) {
  HANDLE before = NULL;
  HANDLE token = NULL;

  /* The caller may be acting for somebody already: that comes back after. */
  if (!OpenThreadToken(GetCurrentThread(), TOKEN_IMPERSONATE, TRUE, &before)) {
    before = NULL;
    if (GetLastError() != ERROR_NO_TOKEN) return NULL;
  }
  if (ImpersonateNamedPipeClient(pipe)) {
    if (!OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, TRUE, &token)) {
      token = NULL;
    }
    /* To go on as the client would be to do what it couldn't: Microsoft says
     * to end the process then. */
    if (!SetThreadToken(NULL, before) && !RevertToSelf()) abort();
  }
  if (before != NULL) CloseHandle(before);
  return token;
}

/* The token of a process, as one to ask questions of, or NULL. */
static HANDLE process_token(DWORD pid) {
  HANDLE process = NULL;
  HANDLE primary = NULL;
  HANDLE token = NULL;

  if (pid != 0) {
    process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
  }
  if (process == NULL) return NULL;
  if (OpenProcessToken(process, TOKEN_QUERY | TOKEN_DUPLICATE, &primary)) {
    if (!DuplicateToken(primary, SecurityIdentification, &token)) token = NULL;
    CloseHandle(primary);
  }
  CloseHandle(process);
  return token;
}

static HANDLE client_token(HANDLE pipe, DWORD pid) {
  HANDLE token = impersonated_token(pipe);
  return token != NULL ? token : process_token(pid);
}

/* The user of a token, which it closes; "" where there is none. */
static void take_user(HANDLE token, char user[IPC_CHANNEL_USER_SIZE]) {
  user[0] = '\0';
  if (token == NULL) return;
  if (ipc__token_user(token, user) != 0) user[0] = '\0';
  CloseHandle(token);
}

static void pipe_owner(HANDLE pipe, char user[IPC_CHANNEL_USER_SIZE]) {
  PSECURITY_DESCRIPTOR descriptor = NULL;
  PSID owner = NULL;

  user[0] = '\0';
  if (GetSecurityInfo(pipe, SE_KERNEL_OBJECT, OWNER_SECURITY_INFORMATION,
                      &owner, NULL, NULL, NULL, &descriptor) != ERROR_SUCCESS) {
    return;
  }
  if (owner == NULL || ipc__sid_text(owner, user) != 0) user[0] = '\0';
  LocalFree(descriptor);
}

static int get_client(HANDLE pipe, ipc_peer_t* peer) {
  ULONG pid = 0;

  if (!GetNamedPipeClientProcessId(pipe, &pid)) pid = 0;
  peer->pid = pid;
  take_user(client_token(pipe, pid), peer->user);
  return peer->user[0] != '\0' ? 0 : UV_EACCES;
}

static int get_server(HANDLE pipe, ipc_peer_t* peer) {
  char process[IPC_CHANNEL_USER_SIZE];
  ULONG pid = 0;

  if (!GetNamedPipeServerProcessId(pipe, &pid)) pid = 0;
  peer->pid = pid;
  take_user(process_token(pid), process);
  pipe_owner(pipe, peer->user);

  /* Which administrator it is, or the system, only the process knows; and who
   * is one needs no forgery. Wine names no owner where none was given. */
  if (process[0] != '\0' &&
      (peer->user[0] == '\0' || strcmp(peer->user, SID_ADMINISTRATORS) == 0)) {
    memcpy(peer->user, process, sizeof(process));
  }
  if (peer->user[0] == '\0') return UV_EACCES;
  if (process[0] == '\0' || strcmp(peer->user, process) == 0) return 0;
  peer->user[0] = '\0';
  return UV_EACCES;
}

int ipc__peer_get(uv_os_fd_t handle, int is_server, ipc_peer_t* peer) {
  memset(peer, 0, sizeof(*peer));
  peer->uid = -1;
  peer->gid = -1;
  return is_server ? get_server(handle, peer) : get_client(handle, peer);
}

int ipc__user_is_id(const char* text) {
  return strncmp(text, "S-1-", 4) == 0 && text[4] != '\0' &&
         text[4 + strspn(text + 4, "0123456789-")] == '\0';
}

int ipc__peer_is_me(const ipc_peer_t* peer) {
  char user[IPC_CHANNEL_USER_SIZE];
  return ipc__my_user(user) == 0 && strcmp(peer->user, user) == 0;
}

int ipc__peer_is_system(const ipc_peer_t* peer) {
  return strcmp(peer->user, SID_SYSTEM) == 0;
}

int ipc__group_resolve(const ipc_allocator_t* allocator,
                       const char* group,
                       char id[IPC_CHANNEL_USER_SIZE]) {
  ipc__sid_t sid;
  int err;

  (void) allocator;
  err = ipc__group_sid(group, &sid);
  return err != 0 ? err : ipc__sid_text(&sid, id);
}

int ipc__peer_in_group(uv_os_fd_t handle,
                       const ipc_peer_t* peer,
                       const char* group_id) {
  ipc__sid_t sid;
  HANDLE token;
  BOOL is_member = FALSE;

  if (ipc__group_sid(group_id, &sid) != 0) return 0;
  token = client_token(handle, (DWORD) peer->pid);
  if (token == NULL) return 0;
  /* Counts groups that are enabled, and none that is there to deny only. */
  if (!CheckTokenMembership(token, &sid, &is_member)) is_member = FALSE;
  CloseHandle(token);
  return is_member ? 1 : 0;
}
