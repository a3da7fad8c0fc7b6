/* What is a name, what it becomes on each system, and what is said about one
 * that is refused. Nothing here touches the file system. */
#include "harness.h"

#include <ctype.h>
#include <stdio.h>

#define PIPE "\\\\.\\pipe\\"

static ipc_name_info_t info;

/* ---- Helpers ------------------------------------------------------------ */

/* One line of printable text that ends inside the field. */
static void check_reason(void) {
  size_t i;

  assert_non_null(memchr(info.reason, '\0', sizeof(info.reason)));
  for (i = 0; info.reason[i] != '\0'; i++) {
    assert_false(iscntrl((unsigned char) info.reason[i]));
  }
}

static int resolve(const char* name) {
  int err;

  /* What is there before must not show through. */
  memset(&info, 0xa5, sizeof(info));
  err = ipc_name_resolve(name, &info);
  check_reason();
  assert_non_null(memchr(info.os_name, '\0', sizeof(info.os_name)));
  return err;
}

static void expect_name(const char* name, const char* os_name) {
  int err = resolve(name);

  if (err != 0) fail_msg("'%s' is refused: %s", name, info.reason);
  assert_string_equal(info.os_name, os_name);
  assert_string_equal(info.reason, "");
}

static void expect_invalid(const char* name) {
  int err = resolve(name);

  if (err != UV_EINVAL) fail_msg("'%s' gives %d", name, err);
  assert_string_not_equal(info.reason, "");
}

/* A Windows name there, not a name elsewhere; or the other way round. */
static void expect_on_windows(const char* name) {
  if (test_is_windows()) {
    expect_name(name, name);
  } else {
    expect_invalid(name);
  }
}

static void expect_on_posix(const char* name) {
  if (test_is_windows()) {
    expect_invalid(name);
  } else {
    expect_name(name, name);
  }
}

/* Asserts that the reason has the number, as a word of its own. */
static void reason_has(size_t number) {
  const char* at = info.reason;
  char digits[24];
  size_t length;

  length =
      (size_t) snprintf(digits, sizeof(digits), "%u", (unsigned int) number);
  while ((at = strstr(at, digits)) != NULL) {
    if ((at == info.reason || !isdigit((unsigned char) at[-1])) &&
        !isdigit((unsigned char) at[length])) {
      return;
    }
    at++;
  }
  fail_msg("no %s in: %s", digits, info.reason);
}

/* The same text over and over, then a NUL. */
static char* repeat(const char* text, size_t count) {
  size_t length = strlen(text);
  char* all = malloc(length * count + 1);
  size_t i;

  assert_non_null(all);
  for (i = 0; i < count; i++) memcpy(all + i * length, text, length);
  all[length * count] = '\0';
  return all;
}

static char* join(const char* a, const char* b, const char* c) {
  size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
  char* all = malloc(size);

  assert_non_null(all);
  snprintf(all, size, "%s%s%s", a, b, c);
  return all;
}

/* What a bare name becomes here. */
static char* os_name_of(const char* bare) {
  char* directory;
  char* whole;

  if (test_is_windows()) return join(PIPE, bare, "");
  directory = join(test_directory(), "/", bare);
  whole = join(directory, ".sock", "");
  free(directory);
  return whole;
}

static char* system_os_name_of(const char* name) {
  return test_is_windows() ? join(PIPE, name, "")
                           : join("/var/run/", name, ".sock");
}

static size_t limit_here(void) {
  uv_utsname_t system;

  if (test_is_windows()) return 256;
  assert_int_equal(uv_os_uname(&system), 0);
  return strcmp(system.sysname, "Linux") == 0 ? 107 : 103;
}

/* Whether a text ends between two characters: the header says that strings are
 * UTF-8, and one that is cut is still a string. */
static int ends_whole(const char* text) {
  size_t length = strlen(text);
  size_t tail = 0;
  unsigned char first;

  while (tail < length && tail < 3 &&
         ((unsigned char) text[length - 1 - tail] & 0xc0) == 0x80) {
    tail++;
  }
  first = (unsigned char) text[length - 1 - tail];
  if (first < 0x80) return tail == 0;
  return tail == (first >= 0xf0 ? 3u : first >= 0xe0 ? 2u : 1u);
}

/* A name that is too long is refused with all three numbers and shown as far
 * as the field goes; one that isn't is taken whole. `length` is in the units of
 * the limit. */
static void check_length(const char* name, const char* whole, size_t length) {
  size_t limit = limit_here();
  int err = resolve(name);
  size_t shown;

  assert_int_equal(info.os_name_limit, limit);
  assert_int_equal(info.os_name_length, length);
  if (length <= limit) {
    if (err != 0) fail_msg("%u: %s", (unsigned int) length, info.reason);
    assert_string_equal(info.os_name, whole);
    assert_string_equal(info.reason, "");
    return;
  }
  assert_int_equal(err, UV_ENAMETOOLONG);
  reason_has(limit);
  reason_has(length);
  reason_has(length - limit);
  shown = strlen(info.os_name);
  if (strlen(whole) < sizeof(info.os_name)) {
    assert_string_equal(info.os_name, whole);
  } else {
    assert_true(shown >= sizeof(info.os_name) - 4);
    assert_memory_equal(info.os_name, whole, shown);
  }
}

/* ---- Bare names --------------------------------------------------------- */

static const char* const bare_names[] = {
    "a",
    "echo",
    "Echo-2_x",
    "with space",
    " leading space",
    "dots.in.it",
    "at@inside",
    "~",
    "-",
    "100%",
    "%s%n",
    "semi;colon,comma",
    "quote's",
    "$HOME",
    "con",
    "pipe",
    "h\xc3\xa9llo",             /* two bytes */
    "\xe6\x97\xa5\xe6\x9c\xac", /* three */
    "\xf0\x9f\x98\x80",         /* four */
    "no\xc2\xa0-break",         /* U+00A0, the first that is not a control */
    "\xef\xbf\xbd",
};

static void test_bare_names(void** state) {
  char* whole;
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(bare_names); i++) {
    whole = os_name_of(bare_names[i]);
    expect_name(bare_names[i], whole);
    free(whole);
  }
}

static const char* const bad_bare_names[] = {
    "",
    /* Hidden, current and parent directory. */
    ".",
    "..",
    ".hidden",
    /* Reserved on some system. */
    "a/b",
    "a\\b",
    "a\\",
    "c:x",
    "a*",
    "a?",
    "a\"b",
    "a<b",
    "a>b",
    "a|b",
    "a/",
    "./a",
    "../a",
    "a/../b",
    /* Control characters: C0, DEL, C1. */
    "\x01",
    "a\tb",
    "a\n",
    "a\x1f",
    "a\x7f",
    "a\xc2\x80",
    "a\xc2\x85_",
    "a\xc2\x9f",
    /* Not UTF-8. */
    "\xff",
    "\x80",
    "a\xc3",
    "a\xe2\x82",
    "a\xf0\x9f\x98",
    "a\xc3(",
    "a\xc0\xaf", /* an overlong '/' */
    "a\xe0\x80\xaf",
    "a\xed\xa0\x80",     /* a surrogate */
    "a\xf4\x90\x80\x80", /* beyond U+10FFFF */
    "a\xf8\x88\x80\x80\x80",
};

static void test_bad_bare_names(void** state) {
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(bad_bare_names); i++) {
    expect_invalid(bad_bare_names[i]);
  }
}

/* ---- Names of the system ------------------------------------------------ */

static void test_system_names(void** state) {
  char* whole;
  char* name;
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(bare_names); i++) {
    name = join("system:", bare_names[i], "");
    whole = system_os_name_of(bare_names[i]);
    expect_name(name, whole);
    free(whole);
    free(name);
  }
  /* No prefix, and nothing but a bare name. */
  whole = os_name_of("system");
  expect_name("system", whole);
  free(whole);
}

static void test_bad_system_names(void** state) {
  char* name;
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(bad_bare_names); i++) {
    name = join("system:", bad_bare_names[i], "");
    expect_invalid(name);
    free(name);
  }
  expect_invalid("system: ");
  expect_invalid("system:a.");
  expect_invalid("system:a ");
  expect_invalid("system:@a");
  expect_invalid("system:/a");
  expect_invalid("system:" PIPE "a");
  expect_invalid("system:system:a");
  expect_invalid("System:a");
  expect_invalid(" system:a");
  expect_invalid("user:a");
}

/* The prefix counts where bytes of the name do, and isn't in the OS name. */
static void test_system_numbers(void** state) {
  static const size_t lengths[] = {1, 2, 93, 94, 95, 246, 247, 248, 775, 4096};
  char* whole;
  char* name;
  char* part;
  size_t i;

  (void) state;
  expect_invalid("system:ab|c");
  reason_has(10);
  expect_invalid("system:a\xff");
  reason_has(9);
  expect_invalid("system:\x01");
  reason_has(8);
  for (i = 0; i < TEST_COUNT(lengths); i++) {
    part = repeat("n", lengths[i]);
    name = join("system:", part, "");
    whole = system_os_name_of(part);
    check_length(name, whole, strlen(whole));
    free(whole);
    free(name);
    free(part);
  }
}

/* ---- Ends and bytes ----------------------------------------------------- */

/* Windows takes these off the end and has another name then; and what is a name
 * on one system is one on all. */
static void test_ends_that_windows_drops(void** state) {
  (void) state;
  expect_invalid("a.");
  expect_invalid("a ");
  expect_invalid("a...");
  expect_invalid("a. .");
}

static void test_every_control_character(void** state) {
  char name[] = "a?b";
  int c;

  (void) state;
  for (c = 1; c < 0x20; c++) {
    name[1] = (char) c;
    expect_invalid(name);
  }
}

/* People count from one, in every message. */
static void test_the_reason_points_at_the_byte(void** state) {
  (void) state;
  expect_invalid("abc\x01");
  reason_has(4);
  expect_invalid("ab|c");
  reason_has(3);
  expect_invalid("a\xff");
  reason_has(2);
  if (!test_is_windows()) return;
  expect_invalid(PIPE "a\xff");
  reason_has(11);
}

/* ---- Where bare names live ---------------------------------------------- */

/* Windows has one place, whatever the environment says. */
static void expect_bare_in(const char* directory) {
  char* whole = test_is_windows() ? join(PIPE, "echo", "")
                                  : join(directory, "/echo.sock", "");

  expect_name("echo", whole);
  free(whole);
}

static void test_runtime_directory(void** state) {
  char* saved = NULL;
  char* long_one;
  char* whole;
  char own[64];
  uv_passwd_t user;

  (void) state;
  if (test_directory() != NULL) saved = join(test_directory(), "", "");
  assert_int_equal(uv_os_get_passwd(&user), 0);
  snprintf(own, sizeof(own), "/tmp/ipc_channel-%ld", (long) user.uid);
  uv_os_free_passwd(&user);

  /* It need not be there to be named. */
  uv_os_setenv("XDG_RUNTIME_DIR", "/no/such/directory");
  expect_bare_in("/no/such/directory");
  uv_os_setenv("XDG_RUNTIME_DIR", "/no/such/directory/");
  expect_bare_in("/no/such/directory");

  /* Not set, empty, or relative, which the XDG specification says to ignore. */
  uv_os_unsetenv("XDG_RUNTIME_DIR");
  expect_bare_in(own);
  uv_os_setenv("XDG_RUNTIME_DIR", "");
  expect_bare_in(own);
  uv_os_setenv("XDG_RUNTIME_DIR", "run/user");
  expect_bare_in(own);
  uv_os_setenv("XDG_RUNTIME_DIR", ".");
  expect_bare_in(own);

  /* A long directory counts. */
  long_one = repeat("/dir", 60);
  uv_os_setenv("XDG_RUNTIME_DIR", long_one);
  if (test_is_windows()) {
    expect_bare_in(NULL);
  } else {
    whole = join(long_one, "/echo.sock", "");
    check_length("echo", whole, strlen(whole));
    free(whole);
  }
  free(long_one);

  if (saved == NULL) {
    uv_os_unsetenv("XDG_RUNTIME_DIR");
  } else {
    uv_os_setenv("XDG_RUNTIME_DIR", saved);
  }
  free(saved);
}

/* ---- Explicit names ----------------------------------------------------- */

static void test_paths(void** state) {
  (void) state;
  expect_on_posix("/x");
  expect_on_posix("/tmp/a.sock");
  expect_on_posix("/tmp//a");
  expect_on_posix("/tmp/../a");
  expect_on_posix("/tmp/.hidden");
  expect_on_posix("/tmp/@a");
  expect_on_posix("/tmp/with space and : * ? \" < > |");
  expect_on_posix("/tmp/a\\b");
  /* Paths are bytes. */
  expect_on_posix("/tmp/\xff\xfe");

  /* No file can have these. */
  expect_invalid("/");
  expect_invalid("/tmp/");
  expect_invalid("/tmp/.");
  expect_invalid("/tmp/..");
  expect_invalid("//");
  /* Neither bare nor absolute. */
  expect_invalid("tmp/a");
  expect_invalid("./a");
  expect_invalid("~/a");
  expect_invalid("C:\\a");
  expect_invalid("C:/a");
  expect_invalid("\\a");
}

static void test_pipes(void** state) {
  (void) state;
  expect_on_windows("\\\\.\\pipe\\x");
  expect_on_windows("\\\\?\\pipe\\x");
  expect_on_windows("\\\\.\\PIPE\\x");
  expect_on_windows("\\\\.\\pipe\\with space");
  expect_on_windows("\\\\.\\pipe\\.dot");
  expect_on_windows("\\\\.\\pipe\\h\xc3\xa9llo");

  expect_invalid("\\\\.\\pipe\\");
  expect_invalid("\\\\?\\pipe\\");
  expect_invalid("\\\\.\\pipe");
  expect_invalid("\\\\.\\pip\\x");
  expect_invalid("\\\\.\\pipes\\x");
  expect_invalid("\\\\.\\pipe\\a\\b");
  expect_invalid("\\\\.\\pipe\\a/b");
  expect_invalid("\\\\.\\pipe\\..\\x");
  expect_invalid("\\\\.\\pipe\\a.");
  expect_invalid("\\\\.\\pipe\\a ");
  expect_invalid("\\\\.\\pipe\\\xff");
  expect_invalid("\\\\.\\x");
  expect_invalid("\\\\.\\COM1");
  expect_invalid("\\\\.\\mailslot\\x");
  expect_invalid("\\\\?\\C:\\x");
  expect_invalid("\\\\?\\GLOBALROOT\\Device\\NamedPipe\\x");
  expect_invalid("\\.\\pipe\\x");
  expect_invalid("\\\\\\.\\pipe\\x");
  expect_invalid("\\??\\pipe\\x");
}

/* Another machine's names, by its name, address or through the UNC device. */
static void test_remote_names(void** state) {
  static const char* const hosts[] = {"host",
                                      "localhost",
                                      "127.0.0.1",
                                      "10.0.0.1",
                                      "fe80--1.ipv6-literal.net",
                                      "UNC\\host",
                                      "?\\UNC\\h",
                                      ".\\UNC\\host"};
  char name[128];
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(hosts); i++) {
    snprintf(name, sizeof(name), "\\\\%s\\pipe\\x", hosts[i]);
    expect_invalid(name);
  }
}

/* Windows takes either slash in a UNC name. On POSIX a name that begins with
 * '/' is a path on this machine, and any other of these is no name. */
static void test_remote_names_in_every_slash_mix(void** state) {
  static const char slashes[] = "\\/";
  char name[] = "\\\\host\\pipe\\x";
  unsigned int mix;

  (void) state;
  for (mix = 0; mix < 16; mix++) {
    name[0] = slashes[mix & 1];
    name[1] = slashes[mix >> 1 & 1];
    name[6] = slashes[mix >> 2 & 1];
    name[11] = slashes[mix >> 3 & 1];
    if (name[0] == '/') {
      expect_on_posix(name);
    } else {
      expect_invalid(name);
    }
  }
}

/* The prefix is to be written just so: Windows would tidy up any other. */
static void test_pipe_prefix_in_every_slash_mix(void** state) {
  static const char slashes[] = "\\/";
  char name[] = "\\\\.\\pipe\\x";
  unsigned int mix;

  (void) state;
  for (mix = 1; mix < 16; mix++) {
    name[0] = slashes[mix & 1];
    name[1] = slashes[mix >> 1 & 1];
    name[3] = slashes[mix >> 2 & 1];
    name[8] = slashes[mix >> 3 & 1];
    if (name[0] == '/') {
      expect_on_posix(name);
    } else {
      expect_invalid(name);
    }
  }
}

/* ---- Lengths ------------------------------------------------------------ */

static const size_t lengths[] = {1,   2,   91,  102, 103, 104, 105,  106,
                                 107, 108, 109, 246, 247, 248, 255,  256,
                                 257, 300, 766, 767, 775, 776, 1024, 4096};

static void test_bare_lengths(void** state) {
  char* whole;
  char* name;
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(lengths); i++) {
    name = repeat("n", lengths[i]);
    whole = os_name_of(name);
    check_length(name, whole, strlen(whole));
    free(whole);
    free(name);
  }
}

/* The last that fits and the first that doesn't. */
static void test_bare_limit(void** state) {
  char* frame = os_name_of("");
  size_t room = limit_here() - strlen(frame);
  char* fits = repeat("n", room);
  char* too_long = repeat("n", room + 1);

  (void) state;
  assert_int_equal(resolve(fits), 0);
  assert_int_equal(info.os_name_length, limit_here());
  assert_int_equal(resolve(too_long), UV_ENAMETOOLONG);
  reason_has(1);
  free(too_long);
  free(fits);
  free(frame);
}

static void test_explicit_lengths(void** state) {
  const char* prefix = test_is_windows() ? PIPE : "/";
  char* name;
  char* tail;
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(lengths); i++) {
    if (lengths[i] <= strlen(prefix)) continue;
    tail = repeat("n", lengths[i] - strlen(prefix));
    name = join(prefix, tail, "");
    assert_int_equal(strlen(name), lengths[i]);
    check_length(name, name, lengths[i]);
    free(name);
    free(tail);
  }
}

/* Windows counts UTF-16 units, the others bytes. */
static void check_characters(const char* text,
                             size_t count,
                             size_t units_each) {
  char* name = repeat(text, count);
  char* whole = os_name_of(name);
  size_t length = strlen(whole);

  if (test_is_windows()) length = strlen(PIPE) + count * units_each;
  check_length(name, whole, length);
  if (info.reason[0] != '\0') assert_true(ends_whole(info.os_name));
  free(whole);
  free(name);
}

static void test_long_characters(void** state) {
  static const size_t counts[] = {10, 60, 123, 124, 246, 247, 248, 256, 1365};
  size_t i;

  (void) state;
  for (i = 0; i < TEST_COUNT(counts); i++) {
    check_characters("\xc3\xa9", counts[i], 1);
    check_characters("\xe6\x97\xa5", counts[i], 1);
    check_characters("\xf0\x9f\x98\x80", counts[i], 2);
  }
}

/* A bad name is bad however long it is, and the longest reason fits. */
static void test_long_and_bad(void** state) {
  char* name = repeat("n", 4096);

  (void) state;
  name[4095] = '|';
  expect_invalid(name);
  reason_has(4096);
  name[4095] = '\xff';
  expect_invalid(name);
  reason_has(4096);
  free(name);
}

/* ---- Arguments ---------------------------------------------------------- */

static void test_null(void** state) {
  (void) state;
  expect_invalid(NULL);
  assert_int_equal(info.os_name_length, 0);
  assert_int_equal(ipc_name_resolve("echo", NULL), UV_EINVAL);
  assert_int_equal(ipc_name_resolve(NULL, NULL), UV_EINVAL);
}

/* The other doors say the same. */
static void expect_refused(const char* name, int status) {
  ipc_server_options_t server_options;
  ipc_client_options_t client_options;
  ipc_server_t* server = NULL;
  ipc_channel_t* channel = NULL;
  ipc_name_state_t state;

  ipc_server_options_init(&server_options, name);
  assert_int_equal(
      ipc_server_listen(test_loop(), &server_options, NULL, &server), status);
  assert_null(server);
  ipc_client_options_init(&client_options, name);
  assert_int_equal(
      ipc_client_connect(test_loop(), &client_options, NULL, &channel), status);
  assert_null(channel);
  assert_int_equal(ipc_name_probe(name, &state, NULL), status);
}

static void test_everybody_refuses(void** state) {
  char* too_long = repeat("n", 257);
  char* longest = repeat("n", 4096);

  (void) state;
  expect_refused("", UV_EINVAL);
  expect_refused(".", UV_EINVAL);
  expect_refused("a/b", UV_EINVAL);
  expect_refused("a\xff", UV_EINVAL);
  expect_refused("system:", UV_EINVAL);
  expect_refused("system:a/b", UV_EINVAL);
  expect_refused("\\\\host\\pipe\\x", UV_EINVAL);
  expect_refused(test_is_windows() ? "/tmp/a" : PIPE "a", UV_EINVAL);
  expect_refused(too_long, UV_ENAMETOOLONG);
  expect_refused(longest, UV_ENAMETOOLONG);
  free(longest);
  free(too_long);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_bare_names),
      TEST(test_bad_bare_names),
      TEST(test_system_names),
      TEST(test_bad_system_names),
      TEST(test_system_numbers),
      TEST(test_ends_that_windows_drops),
      TEST(test_every_control_character),
      TEST(test_the_reason_points_at_the_byte),
      TEST(test_runtime_directory),
      TEST(test_paths),
      TEST(test_pipes),
      TEST(test_remote_names),
      TEST(test_remote_names_in_every_slash_mix),
      TEST(test_pipe_prefix_in_every_slash_mix),
      TEST(test_bare_lengths),
      TEST(test_bare_limit),
      TEST(test_explicit_lengths),
      TEST(test_long_characters),
      TEST(test_long_and_bad),
      TEST(test_null),
      TEST(test_everybody_refuses),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
