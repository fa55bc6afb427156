/* man.c - `pawl help --man`: the manual pages, made of the tables that the help is made of. The text is roff with the macros of man(7); words
 * of ours never become requests: a line's first dot or quote, and each backslash and hyphen, are escaped. */
#include <stdio.h>

#include "cli/cli.h"

static void put(const char *text, size_t len, bool at_start)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (at_start && i == 0 && (c == '.' || c == '\''))
            out_text("\\&");
        if (c == '\\')
            out_text("\\e");
        else if (c == '-')
            out_text("\\-");
        else if (c == '\'')
            out_text("\\(aq");
        else if (c == '`')
            out_text("\\(ga");
        else
            out_bytes(&c, 1);
    }
}

static void word(const char *text)
{
    put(text, strlen(text), false);
}

/* Lines of ours, each as it is. */
static void lines(const char *text)
{
    out_text(".nf\n");
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        put(text, len, true);
        out_text("\n");
        text += len + (text[len] == '\n');
    }
    out_text(".fi\n");
}

/* Paragraphs; a line that is indented stands alone. */
static void paragraphs(const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n"), blank = strspn(text, " ");
        if (len == 0)
            out_text(".PP");
        else if (blank > 0 && blank < len)
            out_text(".br\n");
        put(text + (blank < len ? blank : 0), len - (blank < len ? blank : 0), true);
        out_text("\n");
        text += len + (text[len] == '\n');
    }
}

static void title(const char *name, const char *more)
{
    out_printf(".TH \"PAWL%s%s\" \"1\" \"\" \"pawl %s\" \"Pawl\"\n", more[0] ? "-" : "", more, pawl_version());
    out_printf(".SH NAME\npawl%s%s \\- ", more[0] ? "\\-" : "", more);
    word(name);
    out_text("\n");
}

static void option(const cli_option *o)
{
    out_text(".TP\n\\fB\\-\\-");
    word(o->name);
    out_text("\\fR");
    const char *const values[] = { o->value, o->value2 };
    for (size_t i = 0; i < PW_LENGTH(values); i++) {
        if (!values[i])
            continue;
        out_text(" \\fI");
        word(values[i]);
        out_text("\\fR");
    }
    out_text("\n");
    size_t len = strlen(o->help);
    put(o->help, len, true);
    out_text(len > 0 && o->help[len - 1] == '.' ? "\n" : ".\n");
}

static void exits(const char *text)
{
    out_text(".SH EXIT STATUS\n");
    if (text)
        paragraphs(text);
    else
        lines(help_exit_table);
}

static void command_page(const cli_command *c)
{
    title(c->summary, c->name);
    out_printf(".SH SYNOPSIS\n\\fBpawl %s\\fR [\\fIoptions\\fR] ", c->name);
    word(c->positionals);
    out_text("\n.SH DESCRIPTION\n");
    paragraphs(c->text);
    out_text("\n.SH OPTIONS\n");
    for (uint32_t i = 0; i < c->option_count; i++)
        option(&c->options[i]);
    for (uint32_t i = 0; i < cli_common_option_count; i++)
        if (cli_takes(c, &cli_common_options[i]))
            option(&cli_common_options[i]);
    exits(c->exits);
    if (c->examples) {
        out_text(".SH EXAMPLES\n");
        lines(c->examples);
    }
    out_text(".SH SEE ALSO\n.BR pawl (1),\n.BR pawl.yaml (5)\n");
}

static void first_page(void)
{
    title("run workflows so that they survive a crash", "");
    out_text(".SH SYNOPSIS\n\\fBpawl\\fR \\fICOMMAND\\fR [\\fIoptions\\fR] [\\fIarguments\\fR]\n.SH DESCRIPTION\n"
             "A workflow engine: every step of a workflow is on the disk before anything acts upon it, so that an instance goes on where it was, "
             "whatever dies in between. The store is one file; a command owns it for as long as it works, or asks the process that does, "
             "for instance \\fBpawl serve\\fR.\n.SH COMMANDS\n");
    for (size_t group = 1; group < help_group_count; group++) {
        out_printf(".SS \"%s\"\n", help_group_titles[group]);
        for (uint32_t i = 0; i < cli_command_count; i++) {
            cli_group its = cli_commands[i]->group ? cli_commands[i]->group : CLI_GROUP_TOOLS;
            if ((size_t)its != group)
                continue;
            out_printf(".TP\n\\fBpawl\\-%s\\fR(1)\n", cli_commands[i]->name);
            put(cli_commands[i]->summary, strlen(cli_commands[i]->summary), true);
            out_text(".\n");
        }
    }
    out_text(".SH OPTIONS\nOf every command that has a use for them, before or behind its name:\n");
    for (uint32_t i = 0; i < cli_common_option_count; i++)
        option(&cli_common_options[i]);
    exits(NULL);
    out_text(".SH SEE ALSO\n.BR pawl.yaml (5),\n.BR libpawl (3)\n");
}

int print_man(cli_app *cli, const cli_command *command)
{
    (void)cli;
    if (command)
        command_page(command);
    else
        first_page();
    return EXIT_DONE;
}
