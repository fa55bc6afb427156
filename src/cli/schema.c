/* schema.c - `pawl schema`: the JSON Schema of what this engine adds to the language. */
#include "cli/cli.h"

static int schema(cli_app *cli)
{
    (void)cli;
    out_text(pawl_metadata_schema());
    return EXIT_DONE;
}

// clang-format off
const cli_command command_schema = {
    .name = "schema", .positionals = "", .least = 0, .most = 0, .has_store = false, .run = schema,
    .summary = "print the JSON Schema of 'metadata.pawl'",
    .text =
        "What this engine adds to the workflow language stands below the key 'pawl' of 'metadata', in the document\n"
        "and on tasks. The schema (draft 2020-12) says what may stand there; '$defs' has one for each of the two.",
    .examples = "pawl schema > pawl-metadata.schema.json",
    .exits = "0 done",
};
// clang-format on
