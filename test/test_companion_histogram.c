/* The latencies of ipc-channel bench: what a bucket may get wrong, at every
 * size of value. */
#include "harness.h"

#include "histogram.h"

/* Too large for a stack. */
static histogram_t histogram;

/* What a share of the values is told to be, if all are this one but for one
 * that is larger than all. */
static uint64_t seen_as(uint64_t value) {
  memset(&histogram, 0, sizeof(histogram));
  histogram_add(&histogram, value);
  histogram_add(&histogram, UINT64_MAX);
  return histogram_at(&histogram, 0.5);
}

static void check_value(uint64_t value) {
  uint64_t seen = seen_as(value);

  assert_true(seen >= value);
  assert_true(seen - value <= value / HISTOGRAM_STEPS);
}

static void test_small_values_are_exact(void** state) {
  uint64_t value;

  (void) state;
  for (value = 0; value < 2 * HISTOGRAM_STEPS; value++) {
    assert_int_equal(seen_as(value), value);
  }
}

static void test_the_resolution(void** state) {
  unsigned int bits;
  uint64_t value;

  (void) state;
  for (bits = 0; bits < 64; bits++) {
    value = UINT64_C(1) << bits;
    check_value(value - 1);
    check_value(value);
    check_value(value + value / 3);
    check_value(value + (value - 1));
  }
  check_value(UINT64_MAX);
}

static void test_shares(void** state) {
  uint64_t value;

  (void) state;
  memset(&histogram, 0, sizeof(histogram));
  assert_int_equal(histogram_at(&histogram, 0.5), 0);
  for (value = 1; value <= 100; value++) histogram_add(&histogram, value);
  assert_int_equal(histogram.count, 100);
  assert_int_equal(histogram.max, 100);
  assert_int_equal(histogram_at(&histogram, 0.5), 50);
  assert_int_equal(histogram_at(&histogram, 0.9), 90);
  assert_int_equal(histogram_at(&histogram, 0.99), 99);
  assert_int_equal(histogram_at(&histogram, 0.999), 100);
  assert_int_equal(histogram_at(&histogram, 1), 100);
}

/* The top of a bucket isn't told where nothing is so large. */
static void test_never_above_the_largest(void** state) {
  (void) state;
  memset(&histogram, 0, sizeof(histogram));
  histogram_add(&histogram, 1000000);
  assert_int_equal(histogram_at(&histogram, 0.5), 1000000);
  assert_int_equal(histogram_at(&histogram, 1), 1000000);
}

int main(int argc, char** argv) {
  static const struct CMUnitTest tests[] = {
      TEST(test_small_values_are_exact),
      TEST(test_the_resolution),
      TEST(test_shares),
      TEST(test_never_above_the_largest),
  };

  return test_main(argc, argv, tests, TEST_COUNT(tests), NULL);
}
