/* What a bare name may be, and NAME of "system:NAME"; the same on every system.
 */
#ifndef IPC_CHANNEL_NAME_H
#define IPC_CHANNEL_NAME_H

#include "ipc_channel.h"

/* Of a bare name, or of a whole "system:NAME" for the rest of it. 0, or
 * UV_EINVAL with info->reason filled. */
int ipc__name_check_bare(const char* name, ipc_name_info_t* info);

/* NAME of "system:NAME"; NULL: the name is none of these. */
const char* ipc__name_system_part(const char* name);

/* Whether it is one that Linux has beside paths: "@name". */
int ipc__name_is_abstract(const char* name);

/* Puts parts end to end into info->os_name, as far as they go, with the whole
 * length in info->os_name_length. */
void ipc__name_join(ipc_name_info_t* info, const char* const* parts);

/* Fills info->reason, printf-like, and returns `status`. */
int ipc__name_refuse(ipc_name_info_t* info,
                     int status,
                     const char* format,
                     ...);

/* Number of the first byte that is not UTF-8, or -1. */
ptrdiff_t ipc__utf8_check(const char* text);

#endif /* IPC_CHANNEL_NAME_H */
