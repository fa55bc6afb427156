/* auth.c - tokens of requests become identities, roles an answer to "may it". Token texts go
 * nowhere but to pawl_authenticate(), which compares hashes: not into messages, logs or answers. */
#include "server/auth.h"

enum { TOKEN_MAX = 200 };

/* ---- who */

static bool bearer(pw_str header, pw_str *token)
{
    static const char scheme[] = "bearer";
    size_t at = 0;
    for (; at < sizeof scheme - 1; at++)
        if (at >= header.len || (header.ptr[at] | 0x20) != scheme[at])
            return false;
    if (at >= header.len || header.ptr[at] != ' ')
        return false;
    while (at < header.len && header.ptr[at] == ' ')
        at++;
    *token = (pw_str){ header.ptr + at, header.len - at };
    while (token->len && token->ptr[token->len - 1] == ' ')
        token->len--;
    return token->len > 0;
}

bool pw_identity_of_header(pw_identity *out, pawl *p, pw_str header, pw_arena *arena,
                           pw_problem *problem)
{
    pw_str token;
    if (!header.ptr)
        return pw_problem_http(
            problem, PW_PROBLEM_NO_TOKEN,
            "this server wants to know who asks: the header Authorization is missing");
    if (!bearer(header, &token))
        return pw_problem_http(problem, PW_PROBLEM_NO_TOKEN,
                               "the header Authorization is not of the form 'Bearer TOKEN'");
    if (token.len > TOKEN_MAX || memchr(token.ptr, '\0', token.len))
        return pw_problem_http(problem, PW_PROBLEM_NO_TOKEN, "the token is not valid");
    char text[TOKEN_MAX + 1];
    memcpy(text, token.ptr, token.len);
    text[token.len] = '\0';
    char *told = NULL;
    pawl_error err = { .code = PAWL_OK };
    pawl_code code = pawl_authenticate(p, text, &told, &err);
    pw_value identity = { 0 };
    if (code == PAWL_OK)
        code = pw_json_parse(&identity, pw_str_of(told), NULL, arena, &err);
    pawl_free(told);
    if (code == PAWL_DENIED)
        return pw_problem_http(problem, PW_PROBLEM_NO_TOKEN,
                               "the token is not valid: it is unknown, revoked or expired");
    if (code != PAWL_OK)
        return pw_problem_of(problem, &err);
    *out = (pw_identity){ .name = pw_get_text(identity, "name"),
                          .roles = pw_get_lit(identity, "roles"),
                          .groups = pw_get_lit(identity, "groups") };
    return true;
}

pw_identity pw_identity_anonymous(pw_arena *arena)
{
    pw_value admin =
        pw_object_of(arena,
                     (pw_member[]){ { PW_LIT("role"), pw_string_ref(PW_LIT("admin")) },
                                    { PW_LIT("namespace"), pw_string_ref(PW_LIT("*")) } },
                     2);
    return (pw_identity){ .name = PW_LIT("anonymous"), .roles = pw_array(arena, &admin, 1) };
}

/* ---- may it */

static const char *const role_names[] = {
    [PW_ROLE_ANY] = "any",         [PW_ROLE_VIEWER] = "viewer",     [PW_ROLE_WORKER] = "worker",
    [PW_ROLE_STARTER] = "starter", [PW_ROLE_OPERATOR] = "operator", [PW_ROLE_ADMIN] = "admin"
};

const char *pw_role_name(pw_role role)
{
    return role_names[role];
}

/* The roles that a role includes, itself too. */
static unsigned included(pw_str name)
{
    static const unsigned masks[] = {
        [PW_ROLE_VIEWER] = PW_BIT(PW_ROLE_VIEWER),
        [PW_ROLE_WORKER] = PW_BIT(PW_ROLE_WORKER),
        [PW_ROLE_STARTER] = PW_BIT(PW_ROLE_STARTER) | PW_BIT(PW_ROLE_VIEWER),
        [PW_ROLE_OPERATOR] =
            PW_BIT(PW_ROLE_OPERATOR) | PW_BIT(PW_ROLE_STARTER) | PW_BIT(PW_ROLE_VIEWER),
        [PW_ROLE_ADMIN] = PW_BIT(PW_ROLE_ADMIN) | PW_BIT(PW_ROLE_OPERATOR) |
                          PW_BIT(PW_ROLE_STARTER) | PW_BIT(PW_ROLE_VIEWER) | PW_BIT(PW_ROLE_WORKER),
    };
    for (size_t r = PW_ROLE_VIEWER; r < PW_LENGTH(masks); r++)
        if (pw_str_is(name, role_names[r]))
            return masks[r] | PW_BIT(PW_ROLE_ANY);
    return 0;
}

static bool gives(pw_value role, pw_role wanted)
{
    return included(pw_get_text(role, "role")) & PW_BIT(wanted);
}

bool pw_identity_may(const pw_identity *identity, pw_role role, pw_str namespace_)
{
    for (uint32_t i = 0; i < identity->roles.count && pw_is(identity->roles, PW_ARRAY); i++) {
        pw_value one = pw_item(identity->roles, i);
        pw_str where = pw_get_text(one, "namespace");
        bool there = pw_str_is(where, "*") || (namespace_.ptr && pw_str_eq(where, namespace_));
        if (there && gives(one, role))
            return true;
    }
    return false;
}

bool pw_identity_may_somewhere(const pw_identity *identity, pw_role role)
{
    for (uint32_t i = 0; i < identity->roles.count && pw_is(identity->roles, PW_ARRAY); i++)
        if (gives(pw_item(identity->roles, i), role))
            return true;
    return false;
}

pw_value pw_identity_namespaces(const pw_identity *identity, pw_role role, pw_arena *arena)
{
    pw_array_builder some = { .arena = arena };
    if (pw_identity_may(identity, role, (pw_str){ 0 }))
        return (pw_value){ 0 };
    for (uint32_t i = 0; i < identity->roles.count && pw_is(identity->roles, PW_ARRAY); i++)
        if (gives(pw_item(identity->roles, i), role))
            pw_array_add(&some, pw_get_lit(pw_item(identity->roles, i), "namespace"));
    return pw_array_end(&some);
}

/* ---- from where */

/* Without the port. */
static pw_str host_of(pw_str address)
{
    if (address.len && address.ptr[0] == '[') {
        const char *end = memchr(address.ptr, ']', address.len);
        return end ? (pw_str){ address.ptr + 1, (size_t)(end - address.ptr) - 1 } : (pw_str){ 0 };
    }
    const char *colon = address.len ? memchr(address.ptr, ':', address.len) : NULL;
    return (pw_str){ address.ptr, colon ? (size_t)(colon - address.ptr) : address.len };
}

static bool is_localhost(pw_str host)
{
    static const char name[] = "localhost";
    for (size_t i = 0; i < sizeof name - 1; i++)
        if (i >= host.len || (host.ptr[i] | 0x20) != name[i])
            return false;
    return host.len == sizeof name - 1;
}

bool pw_address_is_loopback(pw_str address)
{
    pw_str host = host_of(address);
    if (is_localhost(host) || pw_str_is(host, "::1"))
        return true;
    if (!pw_str_starts(host, PW_LIT("127.")))
        return false;
    size_t dots = 0, digits = 0;
    for (size_t i = 0; i < host.len; i++) {
        bool digit = host.ptr[i] >= '0' && host.ptr[i] <= '9';
        if (!digit && (host.ptr[i] != '.' || digits == 0))
            return false; /* a name: "127.example.org" */
        dots += !digit;
        digits = digit ? digits + 1 : 0;
    }
    return dots == 3 && digits > 0;
}

bool pw_origin_allowed(pw_str host, pw_str origin, bool local_only)
{
    if (local_only && !pw_address_is_loopback(host))
        return false;
    if (!origin.ptr)
        return true;
    pw_str rest = origin;
    const pw_str schemes[] = { PW_LIT("http://"), PW_LIT("https://") };
    for (size_t i = 0; i < PW_LENGTH(schemes); i++)
        if (pw_str_starts(origin, schemes[i]))
            rest = (pw_str){ origin.ptr + schemes[i].len, origin.len - schemes[i].len };
    return rest.ptr != origin.ptr && pw_str_eq(rest, host);
}
