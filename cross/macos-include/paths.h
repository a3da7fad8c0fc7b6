/* Stands in for the macOS header that zig does not ship; libuv uses these. */
#ifndef PATHS_H_
#define PATHS_H_

#define _PATH_BSHELL "/bin/sh"
#define _PATH_DEFPATH "/usr/bin:/bin"
#define _PATH_DEV "/dev/"
#define _PATH_DEVNULL "/dev/null"
#define _PATH_TMP "/tmp/"

#endif /* PATHS_H_ */
