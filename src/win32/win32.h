/* What the files of this folder share. uv.h comes first everywhere, because it
 * brings winsock2.h, which must stand before windows.h. */
#ifndef IPC_CHANNEL_WIN32_WIN32_H
#define IPC_CHANNEL_WIN32_WIN32_H

#include "../platform.h"

#include <windows.h>

/* CreateNamedPipe takes 256 UTF-16 units, the prefix included. */
#define IPC__PIPE_NAME_LIMIT 256

/* The buffers of a pipe where nobody asks for others: libuv's number, for its
 * own servers. */
#define IPC__PIPE_BUFFER_BYTES 65536

/* The rights that a client has and asks for: read, write, attributes, the
 * security descriptor, wait. It is what GENERIC_READ | GENERIC_WRITE would be
 * without FILE_CREATE_PIPE_INSTANCE, the right to answer in the server's place,
 * so a client must not ask for the generic rights either. */
#define IPC__CLIENT_RIGHTS                                           \
  (FILE_READ_DATA | FILE_WRITE_DATA | FILE_READ_EA | FILE_WRITE_EA | \
   FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES | READ_CONTROL | SYNCHRONIZE)

/* What it takes to look who serves a pipe, whichever way its data goes. */
#define IPC__LOOK_RIGHTS (FILE_READ_ATTRIBUTES | READ_CONTROL | SYNCHRONIZE)

/* The rights of a client that only reads, or only writes: no more than that, so
 * that a server can give others just these. Without FILE_WRITE_ATTRIBUTES libuv
 * can't set a pipe's mode, and leaves it as it is: a new handle reads bytes and
 * waits, which is what libuv would set. */
#define IPC__READER_RIGHTS (IPC__LOOK_RIGHTS | FILE_READ_DATA)
#define IPC__WRITER_RIGHTS (IPC__LOOK_RIGHTS | FILE_WRITE_DATA)

/* A SID in memory of our own. */
typedef union ipc__sid_u {
  SID sid;
  BYTE bytes[SECURITY_MAX_SID_SIZE];
} ipc__sid_t;

/* ---- win32.c ------------------------------------------------------------ */

/* A GetLastError code as UV_E*; never 0. */
int ipc__win32_error(DWORD error);

/* UTF-8 to UTF-16 in `units` units, the NUL included. UV_ENAMETOOLONG, or
 * UV_EINVAL for what is not UTF-8. */
int ipc__widen(const char* text, wchar_t* wide, int units);

/* The same in memory from the allocator. */
int ipc__widen_new(const ipc_allocator_t* allocator,
                   const char* text,
                   wchar_t** wide);

/* ---- connect.c ---------------------------------------------------------- */

/* Opens a pipe as ipc__connect does, with these rights. */
int ipc__pipe_open(const char* os_name,
                   DWORD rights,
                   ipc_impersonation_t level,
                   HANDLE* pipe);

/* ---- handle.c ----------------------------------------------------------- */

/* What the NT functions that ask about handles write beside their answer. */
typedef struct ipc__io_status_s {
  union {
    LONG status;
    void* pointer;
  } u;
  ULONG_PTR information;
} ipc__io_status_t;

/* A function of ntdll.dll, which has no import library everywhere; NULL. */
FARPROC ipc__nt_function(const char* name);

/* NtQueryInformationFile, for an answer of exactly so many bytes; 0 where the
 * system won't say. */
int ipc__file_query(HANDLE file, int what, void* answer, ULONG size);

/* Whether a handle is for one operation at a time, since it isn't open for
 * overlapped I/O. UV_EACCES: the system won't say. */
int ipc__handle_is_serial(HANDLE handle, int* is_serial);

/* ---- stream.c ----------------------------------------------------------- */

/* What the kernel knows of a pipe and of the end that asks. Out of winternl.h
 * and the driver kit, which name it only in parts. */
typedef struct ipc__pipe_state_s {
  ULONG type;          /* IPC__PIPE_MESSAGES, or of bytes */
  ULONG configuration; /* IPC__PIPE_...: which way its data goes */
  ULONG maximum_instances;
  ULONG current_instances;
  ULONG inbound_quota; /* towards the server, at both ends */
  ULONG read_data_available;
  ULONG outbound_quota;
  ULONG write_quota_available; /* of this end */
  ULONG state;
  ULONG end;
} ipc__pipe_state_t;

#define IPC__PIPE_MESSAGES 1

#define IPC__PIPE_INBOUND 0 /* to the server */
#define IPC__PIPE_OUTBOUND 1

#define IPC__PIPE_CONNECTED 3
#define IPC__PIPE_CLOSING 4 /* the other end has gone */

#define IPC__PIPE_END_SERVER 1

/* Fills `state`; 0 where the system won't say. Needs FILE_READ_ATTRIBUTES,
 * which the server's end of an outbound pipe hasn't got. Blocks only where
 * something else is under way on a handle that isn't overlapped. */
int ipc__pipe_query(HANDLE pipe, ipc__pipe_state_t* state);

/* The sizes of its buffers; 0 where the system won't say. */
void ipc__pipe_sizes(HANDLE pipe, size_t* in_bytes, size_t* out_bytes);

/* The status of a write, of what libuv makes of the system's error: a peer that
 * has closed its end ends our reading and breaks our writing. */
int ipc__write_status(int status);

/* ---- serial.c ----------------------------------------------------------- */

/* A stream whose pipe isn't open for overlapped I/O: what is known of it, and
 * its writer. */
typedef struct ipc__serial_s ipc__serial_t;

/* Makes stream->os.serial, before anything is under way. UV_ENOMEM. */
int ipc__serial_open(ipc__stream_t* stream, HANDLE pipe);

/* As ipc__stream_write, but nothing must stay. */
ssize_t ipc__serial_write(ipc__stream_t* stream,
                          const uv_buf_t* buffers,
                          unsigned int count);

int ipc__serial_peer(const ipc__serial_t* serial, ipc_peer_t* peer);
void ipc__serial_buffer_sizes(const ipc__serial_t* serial,
                              size_t* in_bytes,
                              size_t* out_bytes);

/* Ends a write that is under way, in 200 ms at most, and the use of the handle;
 * to be called before libuv closes that. */
void ipc__serial_stop(ipc__stream_t* stream);

/* Then, when libuv has closed it: releases it, and calls back, perhaps at once.
 */
void ipc__serial_close(ipc__stream_t* stream, ipc__stream_closed_cb on_closed);

/* ---- access.c ----------------------------------------------------------- */

/* The user of a token, and of this process, as "S-1-5-..."; UV_EACCES. */
int ipc__token_user(HANDLE token, char user[IPC_CHANNEL_USER_SIZE]);
int ipc__my_user(char user[IPC_CHANNEL_USER_SIZE]);

int ipc__sid_text(PSID sid, char text[IPC_CHANNEL_USER_SIZE]);

/* A group by its name or SID; UV_ENOENT. A name may take a question to the
 * domain controller. */
int ipc__group_sid(const char* group, ipc__sid_t* sid);

/* The security descriptor that the config asks for, to LocalFree. */
int ipc__descriptor_make(const ipc__listen_config_t* config,
                         PSECURITY_DESCRIPTOR* descriptor);

#endif /* IPC_CHANNEL_WIN32_WIN32_H */
