/* reads.c - whether an expression looks at its input.
 *
 * Asked by who would rather evaluate it once, before the input is there. "Yes" is always a safe
 * answer: of calls, assignments and patterns nothing more is known. The first stage of a pipe alone
 * sees the input; so does all else that is written side by side. */
#include "expr/syntax_internal.h"

static bool any_of(const pw_node *list)
{
    for (; list; list = list->next)
        if (pw_reads_input(list))
            return true;
    return false;
}

/* Goes along `a`, which may be as long as the source, and recurses into the rest, as the parser
 * did. */
bool pw_reads_input(const pw_node *n)
{
    for (; n; n = n->a) {
        switch ((pw_node_kind)n->kind) {
        case PW_NODE_IDENTITY:
        case PW_NODE_RECURSE:
        case PW_NODE_FORMAT:
        case PW_NODE_CALL:
        case PW_NODE_ASSIGN:
        case PW_NODE_UPDATE:
        case PW_NODE_OP_ASSIGN:
            return true;
        case PW_NODE_CONST:
        case PW_NODE_VARIABLE:
        case PW_NODE_BREAK:
            return false;
        case PW_NODE_STRING:
        case PW_NODE_COMMA:
            return any_of(n->list);
        case PW_NODE_PIPE:
            return pw_reads_input(n->list);
        case PW_NODE_OBJECT:
            for (const pw_node *member = n->list; member; member = member->next)
                if (pw_reads_input(member->a) || pw_reads_input(member->b))
                    return true;
            return false;
        case PW_NODE_IF:
            if (!n->c) /* then the input is what it gives */
                return true;
            if (pw_reads_input(n->b) || pw_reads_input(n->c))
                return true;
            break;
        case PW_NODE_AS:
        case PW_NODE_REDUCE:
        case PW_NODE_FOREACH: /* what stands behind b has another input */
            if (n->pattern->kind != PW_PATTERN_VARIABLE || n->pattern->alternative ||
                pw_reads_input(n->b))
                return true;
            break;
        case PW_NODE_SLICE:
        case PW_NODE_INDEX:
        case PW_NODE_BINARY:
        case PW_NODE_AND:
        case PW_NODE_OR:
        case PW_NODE_ALTERNATIVE:
        case PW_NODE_TRY: /* an error may hold the input: its handler counts */
            if (pw_reads_input(n->b) || pw_reads_input(n->c))
                return true;
            break;
        case PW_NODE_EACH:
        case PW_NODE_NEGATE:
        case PW_NODE_DEF:
        case PW_NODE_LABEL:
        case PW_NODE_ARRAY:
            break;
        case PW_NODE_MEMBER:
            PW_ASSERT(false); /* looked at by its object */
            break;
        }
    }
    return false;
}
