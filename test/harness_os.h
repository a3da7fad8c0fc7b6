/* What the harness needs of each system beside harness.h. */
#ifndef IPC_CHANNEL_TEST_HARNESS_OS_H
#define IPC_CHANNEL_TEST_HARNESS_OS_H

/* Before and after all tests: a directory for endpoints. */
void test_os_start(void);
void test_os_stop(void);

#endif /* IPC_CHANNEL_TEST_HARNESS_OS_H */
