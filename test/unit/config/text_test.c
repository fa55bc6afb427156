/* text_test.c - what a file may look like: JSON, YAML, and what is neither. */
#include "test.h"
#include <pawl/server.h>
#include "base/base.h"

typedef struct text_case {
    const char *text;
    const char *message; /* NULL: good, and Server:Workers is 2 */
} text_case;

static void run(const text_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pawl_config *config = NULL;
        pawl_error err = { 0 };
        EXPECT_OK(pawl_config_new(&config, &err), err);
        pawl_code code = pawl_config_text(config, cases[i].text, strlen(cases[i].text), "f", NULL, NULL, &err);
        if ((code == PAWL_OK) != (cases[i].message == NULL))
            fail_msg("%s: code %d, %s", cases[i].text, (int)code, code == PAWL_OK ? "" : err.message);
        if (cases[i].message)
            EXPECT_CONTAINS(err.message, cases[i].message);
        EXPECT_INT(pawl_config_number(config, "Server:Workers"), cases[i].message ? 32 : 2);
        pawl_config_free(config);
    }
}

TEST(config, json_is_read_strictly_with_lines)
{
    static const text_case cases[] = {
        { "{\"Server\":{\"Workers\":2}}", NULL },
        { " \r\n\t{ \"Server\" : { \"Workers\" : 2 } }\n\n", NULL },
        { "\xef\xbb\xbf{\"Server\":{\"Workers\":2}}", NULL },
        { "{\"Server\":{\"Workers\":2.0}}", NULL },
        { "{\"Server\":{\"Workers\":20e-1}}", NULL },
        { "{\"Server:Workers\":2}", NULL },
        { "{\"$schema\":\"x\",\"Server\":{\"\\u0057orkers\":2}}", NULL },
        { "{\"Server\":null,\"Jobs\":{\"Functions\":{\"a\\\"b\":{}}},\"Server:Workers\":2}", NULL },
        { "{\"Server\":{\"Workers\":2},}", "JSON line 1, column 25" },
        { "{\"Server\":{\"Workers\":02}}", "JSON line 1" },
        { "{Server: {Workers: 2}}", "JSON line 1" },
        { "{\"Server\":{\"Workers\":2}} x", "JSON line 1" },
        { "{\"Server\":{\"Workers\":2}", "JSON line 1" },
        { "{\n\"Server\":{\n\"Workers\":2,\n\"Workers\":3}}", "f:4: 'Workers' stands there twice" },
        { "{\n\"Server\":{},\n\"Server\":{}}", "f:3: 'Server' stands there twice" },
        { "{\"a\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}", "f:1: it is nested deeper than 16" },
        { "{\n\n\"Server\":5}", "f:3: Server: is a section, and holds keys instead of a value" },
        { "{\"Server\":[]}", "f:1: Server: is a section" },
        { "{\"Jobs\":{\"Functions\":{\"mail\":5}}}", "f:1: Jobs:Functions:mail: " },
        { "{\"Jobs\":{\"Functions\":{\"\":{\"Rate\":1}}}}", "f:1: Jobs:Functions::Rate: there is no such key" },
        { "{\"Jobs\":{\"Functions\":{\"a\":{\"Rat\":1}}}}", "f:1: Jobs:Functions:a:Rat: there is no such key; did you mean 'Jobs:Functions:a:Rate'?" },
        { "{\"Jobs\":{\"Functions\":{\"a\\u0000b\":{\"Rate\":1}}}}", "there is no such key" },
        { "{\"Jobs\":{\"Functions\":{\"a\\nb\":{\"Rate\":1}}}}", "there is no such key" },
        { "{\"\":1}", "f:1: " },
        { "{\"Server\":{\"Listen\":[\"a:1\",2]}}", "this is a list" },
        { "{\"Server\":{\"Listen\":[\"a:1,b:2\"]}}", "this is a list" },
    };
    run(cases, PW_LENGTH(cases));
}

TEST(config, yaml_is_read_as_yaml_1_2_with_lines)
{
    static const text_case cases[] = {
        { "Server: {Workers: 2}", NULL },
        { "%YAML 1.2\n---\nServer:\n  Workers: 2 # threads\n...\n", NULL },
        { "---\n\"Server\":\n  'Workers': 2\n  IdleTimeout: 00:00:10\n  Listen:\n  - 127.0.0.1:1\n  - '[::1]:2'\n", NULL },
        { "Server:\nJobs: ~\nServer:Workers: 2\n", NULL },
        { "Server: {Workers: 2, Insecure: True}", NULL },
        { "Server:\n  Workers: '2'\n", "f:2: Server:Workers: '2' must be a whole number from 1 to 1024; this is text" },
        { "Server:\n  Workers: 0x2\n", "this is text" },
        { "Server:\n  Insecure: yes\n", "f:2: Server:Insecure: 'yes' must be true or false; this is text" },
        { "Server:\n  IdleTimeout: 30\n", "this is a number" },
        { "Server:\n  Workers:\n", "f:2: Server:Workers: must be a whole number from 1 to 1024; leave the key out for its default" },
        { "Server:\n  Workers: 2\n  Workers: 3\n", "f:3: 'Workers' stands there twice, first on line 2" },
        { "a: &x 1\n", "f:1: anchors are not supported: write '&x' out" },
        { "a: {}\nb: *x\n", "f:2: aliases are not supported: write '*x' out" },
        { "Server:\n  Workers: !!int 2\n", "f:2: tags are not supported: leave 'tag:yaml.org,2002:int' out" },
        { "Server: !x {}\n", "tags are not supported" },
        { "Server: {Listen: &l [a:1]}\n", "anchors are not supported" },
        { "Server: {}\n---\nServer: {}\n", "f:2: a second document begins here: a file is one" },
        { "- Server\n", "f:1: the whole must be a mapping of sections, like Server: {...}" },
        { "just text\n", "f:1: the whole must be a mapping of sections" },
        { "Server:\n\tWorkers: 2\n", "f:2: not YAML: " },
        { "Server: {Workers: 2\n", "not YAML: " },
        { "? [a]\n: 1\n", "f:1: a name must be text" },
        { "a: [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]\n", "f:1: it is nested deeper than 16" },
        { "Server:\n  Workers: 2\xff\n", "f:2: it is not UTF-8 text" },
        { "Server:\n  Workers: 2\x01\n", "not YAML: " },
    };
    run(cases, PW_LENGTH(cases));
}

TEST(config, a_file_without_settings_is_all_defaults)
{
    static const char *const texts[] = { "", "\n\n", "# nothing yet\n", "---\n", "~", "{}", "\xef\xbb\xbf", "Server:\n" };
    for (size_t i = 0; i < PW_LENGTH(texts); i++) {
        pawl_config *config = NULL;
        pawl_error err;
        EXPECT_OK(pawl_config_new(&config, &err), err);
        EXPECT_OK(pawl_config_text(config, texts[i], strlen(texts[i]), "f", NULL, NULL, &err), err);
        EXPECT_INT(pawl_config_number(config, "Server:Workers"), 32);
        pawl_config_free(config);
    }
}

TEST(config, the_schema_has_every_key_in_its_section)
{
    const char *schema = pawl_config_schema();
    EXPECT_CONTAINS(schema, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",");
    EXPECT_CONTAINS(schema, "\"Retry\":{\"type\":[\"object\",\"null\"],\"additionalProperties\":false,\"properties\":{"
                            "\"MaxRetryAttempts\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":1000,\"default\":3,");
    EXPECT_CONTAINS(schema, "\"Functions\":{\"type\":[\"object\",\"null\"],\"additionalProperties\":{\"type\":[\"object\","
                            "\"null\"],\"additionalProperties\":false,\"properties\":{\"MaxConcurrent\":");
    EXPECT(pawl_config_schema() == schema);
}
