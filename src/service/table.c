/* A hash table of numbers that were given out one after the other, so that the
 * number itself is the hash. It holds its entries, and owns none. */
#include "table.h"

#include <stdlib.h>
#include <uv.h>

#define FIRST_SLOTS 16u

static ipc__entry_t** slot_of(const ipc__table_t* table, uint64_t number) {
  return &table->slots[(size_t) number & (table->slot_count - 1)];
}

static int grow(ipc__table_t* table, size_t slot_count) {
  ipc__table_t grown = {NULL, slot_count, 0};
  size_t i;

  grown.slots = calloc(slot_count, sizeof(*grown.slots));
  if (grown.slots == NULL) return UV_ENOMEM;
  for (i = 0; i < table->slot_count; i++) {
    while (table->slots[i] != NULL) {
      ipc__entry_t* entry = table->slots[i];

      table->slots[i] = entry->next;
      ipc__table_add(&grown, entry);
    }
  }
  free(table->slots);
  *table = grown;
  return 0;
}

int ipc__table_reserve(ipc__table_t* table, size_t more) {
  size_t slot_count = table->slot_count == 0 ? FIRST_SLOTS : table->slot_count;

  while (slot_count < table->count + more) slot_count *= 2;
  return slot_count == table->slot_count ? 0 : grow(table, slot_count);
}

void ipc__table_add(ipc__table_t* table, ipc__entry_t* entry) {
  ipc__entry_t** slot = slot_of(table, entry->number);

  entry->next = *slot;
  *slot = entry;
  table->count++;
}

ipc__entry_t* ipc__table_find(const ipc__table_t* table, uint64_t number) {
  ipc__entry_t* entry;

  if (table->slot_count == 0) return NULL;
  entry = *slot_of(table, number);
  while (entry != NULL && entry->number != number) entry = entry->next;
  return entry;
}

void ipc__table_remove(ipc__table_t* table, ipc__entry_t* entry) {
  ipc__entry_t** at = slot_of(table, entry->number);

  while (*at != entry) at = &(*at)->next;
  *at = entry->next;
  table->count--;
}

void ipc__table_release(ipc__table_t* table) {
  free(table->slots);
  table->slots = NULL;
  table->slot_count = 0;
}
