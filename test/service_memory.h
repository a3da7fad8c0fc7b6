/* Put before each source file of the service that test_service_memory is built
 * of: its memory comes from a test_memory_t, as that of the channels and of
 * jansson does, so that any allocation of the three can be made to fail. */
#ifndef IPC_CHANNEL_TEST_SERVICE_MEMORY_H
#define IPC_CHANNEL_TEST_SERVICE_MEMORY_H

#include <stdlib.h>

void* service_malloc(size_t size);
void* service_calloc(size_t count, size_t size);
void* service_realloc(void* block, size_t size);
void service_free(void* block);

#define malloc service_malloc
#define calloc service_calloc
#define realloc service_realloc
#define free service_free
/* jansson's parser doesn't always notice that memory has failed. */
#define json_loadb service_json_loadb

#endif /* IPC_CHANNEL_TEST_SERVICE_MEMORY_H */
