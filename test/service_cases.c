/* JSON-RPC 2.0 as data. The methods are those of test_service_rpc.c: "minus"
 * takes "from" and "what", "total" any numbers, "pair" nothing. "data" of
 * errors of this library is left out of what is compared. */
#include "service_cases.h"

#define ERROR(code, words, id)                                              \
  "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":" #code ",\"message\":\"" words \
  "\"},\"id\":" id "}"
#define RESULT(value, id) \
  "{\"jsonrpc\":\"2.0\",\"result\":" value ",\"id\":" id "}"
#define INVALID(id) ERROR(-32600, "Invalid Request", id)
#define REQUEST(rest) "{\"jsonrpc\":\"2.0\"," rest "}"
#define ASKED(rest, id) REQUEST("\"method\":" rest ",\"id\":" id)
#define MINUS(id) ASKED("\"minus\",\"params\":[42,23]", id)

const service_case_t standard_cases[] = {
    {"positions", ASKED("\"minus\",\"params\":[42,23]", "1"),
     RESULT("19", "1")},
    {"positions, the other way round",
     ASKED("\"minus\",\"params\":[23,42]", "2"), RESULT("-19", "2")},
    {"names", ASKED("\"minus\",\"params\":{\"what\":23,\"from\":42}", "3"),
     RESULT("19", "3")},
    {"names in another order",
     ASKED("\"minus\",\"params\":{\"from\":42,\"what\":23}", "4"),
     RESULT("19", "4")},
    {"a notification", REQUEST("\"method\":\"update\",\"params\":[1,2,3]"),
     NULL},
    {"a notification of what nobody takes", REQUEST("\"method\":\"absent\""),
     NULL},
    {"no such method", ASKED("\"absent\"", "\"1\""),
     ERROR(-32601, "Method not found", "\"1\"")},
    {"no JSON", "{\"jsonrpc\":\"2.0\",\"method\":\"minus,\"params\":\"b\",\"c]",
     ERROR(-32700, "Parse error", "null")},
    {"a request that is none", REQUEST("\"method\":1,\"params\":\"b\""),
     INVALID("null")},
    {"a batch that isn't JSON",
     "[" ASKED("\"total\",\"params\":[1]",
               "\"1\"") ",{\"jsonrpc\":\"2.0\",\"method\"]",
     ERROR(-32700, "Parse error", "null")},
    {"an empty batch", "[]", INVALID("null")},
    {"a batch of one that is nothing", "[1]", "[" INVALID("null") "]"},
    {"a batch of three that are nothing", "[1,2,3]",
     "[" INVALID("null") "," INVALID("null") "," INVALID("null") "]"},
    {"a batch of everything",
     "[" ASKED("\"total\",\"params\":[1,2,4]", "\"1\"") "," REQUEST(
         "\"method\""
         ":\"update"
         "\","
         "\"params\""
         ":[7]") "," ASKED("\"minus\",\"params\":[42,23]",
                           "\"2\"") ","
                                    "{\"other\":\"thing\"}," ASKED(
                                        "\"no.such\",\"params\":{\"name\":"
                                        "\"me\"}",
                                        "\"5\"") "," ASKED("\"pair\"",
                                                           "\"9\"") "]",
     "[" RESULT("7", "\"1\"") "," RESULT("19", "\"2\"") "," INVALID(
         "null") "," ERROR(-32601,
                           "Method not found",
                           "\"5\"") "," RESULT("[\"hello\",5]", "\"9\"") "]"},
    {"a batch of notifications",
     "[" REQUEST("\"method\":\"update\",\"params\":[1,2,4]") "," REQUEST(
         "\"method\":\"update\",\"params\":[7]") "]",
     NULL},
};
const size_t standard_case_count =
    sizeof(standard_cases) / sizeof(standard_cases[0]);

const service_case_t further_cases[] = {
    /* Ids come back byte by byte. */
    {"a string", MINUS("\"a\\u0062\\n\\\"\""),
     RESULT("19", "\"a\\u0062\\n\\\"\"")},
    {"an empty string", MINUS("\"\""), RESULT("19", "\"\"")},
    {"zero", MINUS("0"), RESULT("19", "0")},
    {"a negative number", MINUS("-7"), RESULT("19", "-7")},
    {"a fraction", MINUS("1.50"), RESULT("19", "1.50")},
    {"an exponent", MINUS("1E+2"), RESULT("19", "1E+2")},
    {"the largest integer", MINUS("9223372036854775807"),
     RESULT("19", "9223372036854775807")},
    {"more digits than a double has", MINUS("0.12345678901234567890123"),
     RESULT("19", "0.12345678901234567890123")},
    {"null is an id", MINUS("null"), RESULT("19", "null")},
    {"the last of two ids", ASKED("\"pair\",\"id\":5", "6"),
     RESULT("[\"hello\",5]", "6")},
    {"a member's name in escapes",
     REQUEST("\"method\":\"pair\",\"\\u0069d\":8"),
     RESULT("[\"hello\",5]", "8")},
    {"an id inside of params isn't one",
     REQUEST(
         "\"params\":{\"from\":1,\"what\":1,\"id\":3},\"method\":\"update\""),
     NULL},
    {"white space",
     " \t\r\n{ \"id\" : 3 , \"method\" : \"pair\" ,\"jsonrpc\" "
     ": \"2.0\" } \r\n",
     RESULT("[\"hello\",5]", "3")},
    /* Ids that are none. */
    {"true is no id", MINUS("true"), INVALID("null")},
    {"an array is no id", MINUS("[1]"), INVALID("null")},
    {"an object is no id", MINUS("{}"), INVALID("null")},
    /* Requests that are none. */
    {"no version", "{\"method\":\"pair\",\"id\":1}", INVALID("1")},
    {"version 1", "{\"jsonrpc\":\"1.0\",\"method\":\"pair\",\"id\":1}",
     INVALID("1")},
    {"a version that is a number",
     "{\"jsonrpc\":2.0,\"method\":\"pair\",\"id\":1}", INVALID("1")},
    {"no method", REQUEST("\"id\":\"x\""), INVALID("\"x\"")},
    {"a method of null", ASKED("null", "1"), INVALID("1")},
    {"a method with a NUL", ASKED("\"pair\\u0000\"", "1"), INVALID("1")},
    {"params that are a string", ASKED("\"total\",\"params\":\"1\"", "1"),
     INVALID("1")},
    {"params that are null", ASKED("\"total\",\"params\":null", "1"),
     INVALID("1")},
    {"the same without an id", REQUEST("\"method\":\"total\",\"params\":1"),
     INVALID("null")},
    {"an empty object", "{}", INVALID("null")},
    {"a string", "\"pair\"", INVALID("null")},
    {"a number", "1", INVALID("null")},
    {"null", "null", INVALID("null")},
    {"a batch in a batch", "[[" MINUS("1") "]]", "[" INVALID("null") "]"},
    /* Texts that are no JSON. */
    {"nothing", "", ERROR(-32700, "Parse error", "null")},
    {"a word", "pair", ERROR(-32700, "Parse error", "null")},
    {"two values", "{} {}", ERROR(-32700, "Parse error", "null")},
    {"a comma too many", "[1,]", ERROR(-32700, "Parse error", "null")},
    {"bytes that aren't UTF-8", "\"\xff\xfe\"",
     ERROR(-32700, "Parse error", "null")},
    {"half of a pair", "\"\\ud800\"", ERROR(-32700, "Parse error", "null")},
    {"a number that nothing holds",
     ASKED("\"total\",\"params\":[123456789012345678901234567890]", "1"),
     ERROR(-32700, "Parse error", "null")},
    {"an id that nothing holds", MINUS("123456789012345678901234567890"),
     ERROR(-32700, "Parse error", "null")},
    {"half of a pair, the second", "\"\\udc00\"",
     ERROR(-32700, "Parse error", "null")},
    {"a pair of two first halves", "\"\\ud800\\ud800\"",
     ERROR(-32700, "Parse error", "null")},
    {"more bytes than a character needs", "\"\xc0\x80\"",
     ERROR(-32700, "Parse error", "null")},
    {"half of a pair in UTF-8", "\"\xed\xa0\x80\"",
     ERROR(-32700, "Parse error", "null")},
    {"a character that is cut off", "\"\xe2\x82\"",
     ERROR(-32700, "Parse error", "null")},
    {"a control character", "\"\x01\"", ERROR(-32700, "Parse error", "null")},
    {"a number that begins with 0", "[01]",
     ERROR(-32700, "Parse error", "null")},
    {"a number without an end", "[1.]", ERROR(-32700, "Parse error", "null")},
    {"a double that nothing holds", "[1e999]",
     ERROR(-32700, "Parse error", "null")},
    {"a NUL in a name", "{\"a\\u0000\":1}",
     ERROR(-32700, "Parse error", "null")},
    {"brackets that don't match", "{\"a\":[1}]",
     ERROR(-32700, "Parse error", "null")},
    /* Names that are there twice. */
    {"two methods", ASKED("\"absent\",\"method\":\"pair\"", "1"),
     RESULT("[\"hello\",5]", "1")},
    {"two versions",
     "{\"jsonrpc\":\"2.0\",\"jsonrpc\":\"1.0\",\"method\":"
     "\"pair\",\"id\":1}",
     INVALID("1")},
    {"an id, and one that is none", ASKED("\"pair\",\"id\":5", "[]"),
     INVALID("null")},
    {"a request that has a result too", ASKED("\"pair\",\"result\":5", "1"),
     RESULT("[\"hello\",5]", "1")},
    {"numbers at their limits",
     ASKED("\"echo\",\"params\":[-9223372036854775808,9223372036854775807,-0,"
           "1.5e300,-2.5E-3]",
           "1"),
     RESULT("[-9223372036854775808,9223372036854775807,0,1.5e300,-0.0025]",
            "1")},
    /* Values that are kept. */
    {"a NUL in a string", ASKED("\"echo\",\"params\":[\"a\\u0000b\"]", "1"),
     RESULT("[\"a\\u0000b\"]", "1")},
    {"other alphabets",
     ASKED("\"echo\",\"params\":[\"h\xc3\xa9 \xf0\x9f\x98\x80\"]", "1"),
     RESULT("[\"h\xc3\xa9 \xf0\x9f\x98\x80\"]", "1")},
    {"no params are null to this one", ASKED("\"echo\"", "1"),
     RESULT("null", "1")},
    /* Parameters that are described. */
    {"one is missing", ASKED("\"minus\",\"params\":[42]", "1"),
     ERROR(-32602, "Invalid params", "1")},
    {"all are missing", ASKED("\"minus\"", "1"),
     ERROR(-32602, "Invalid params", "1")},
    {"one too many", ASKED("\"minus\",\"params\":[1,2,3]", "1"),
     ERROR(-32602, "Invalid params", "1")},
    {"one of another type", ASKED("\"minus\",\"params\":[1,\"2\"]", "1"),
     ERROR(-32602, "Invalid params", "1")},
    {"one that nobody knows",
     ASKED("\"minus\",\"params\":{\"from\":1,\"what\":1,\"why\":1}", "1"),
     ERROR(-32602, "Invalid params", "1")},
    {"an integer with a point", ASKED("\"minus\",\"params\":[4.0,2]", "1"),
     RESULT("2", "1")},
    {"half an integer", ASKED("\"minus\",\"params\":[4.5,2]", "1"),
     ERROR(-32602, "Invalid params", "1")},
    {"none are taken", ASKED("\"pair\",\"params\":[1]", "1"),
     ERROR(-32602, "Invalid params", "1")},
    {"none are given, as an array", ASKED("\"pair\",\"params\":[]", "1"),
     RESULT("[\"hello\",5]", "1")},
    {"a notification with wrong ones", REQUEST("\"method\":\"minus\""), NULL},
    {"a reserved method", ASKED("\"rpc.absent\"", "1"),
     ERROR(-32601, "Method not found", "1")},
    /* Answers to nothing that was asked are not answered. */
    {"a result", REQUEST("\"result\":1,\"id\":77"), NULL},
    {"an error", ERROR(-32700, "Parse error", "null"), NULL},
    {"an error that is none", REQUEST("\"error\":5,\"id\":1"), NULL},
    {"a result and an error",
     REQUEST("\"result\":1,\"error\":{\"code\":1,\"message\":\"\"},\"id\":1"),
     NULL},
    {"a result without a version", "{\"result\":1,\"id\":1}", NULL},
    {"a batch of answers", "[" RESULT("1", "5") "," RESULT("2", "6") "]", NULL},
    {"a batch of an answer and a request",
     "[" RESULT("1", "5") "," MINUS("6") "]", "[" RESULT("19", "6") "]"},
};
const size_t further_case_count =
    sizeof(further_cases) / sizeof(further_cases[0]);
