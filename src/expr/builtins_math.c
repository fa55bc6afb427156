/* builtins_math.c - numbers, by the C library's maths. What floor, ceil, round and trunc give is
 * exact for integers of 64 bits; the others work in doubles. */
#include <math.h>
#include <stdlib.h>

#include "expr/builtins_internal.h"

static const pw_value none = { .type = PW_NONE };

static bool want_number(pw_expr_machine *m, pw_value v)
{
    char text[PW_DUMP_SIZE];
    if (pw_is(v, PW_NUMBER))
        return true;
    (void)pw_expr_throw(m, "%s (%s) number required", pw_type_name(v), pw_expr_dump(m, v, text));
    return false;
}

#define ONE(name, function)                                                                        \
    pw_value pw_builtin_##name(pw_expr_machine *m, pw_value in, const pw_value *args)              \
    {                                                                                              \
        (void)args;                                                                                \
        return want_number(m, in) ? pw_expr_number(m, function(pw_number(in))) : none;             \
    }

#define WHOLE(name, function)                                                                      \
    pw_value pw_builtin_##name(pw_expr_machine *m, pw_value in, const pw_value *args)              \
    {                                                                                              \
        (void)args;                                                                                \
        int64_t i;                                                                                 \
        if (!want_number(m, in))                                                                   \
            return none;                                                                           \
        if (in.form != PW_FORM_REAL && pw_integer(in, &i))                                         \
            return pw_int(i);                                                                      \
        return pw_expr_number(m, function(pw_number(in)));                                         \
    }

#define TWO(name, function)                                                                        \
    pw_value pw_builtin_##name(pw_expr_machine *m, pw_value in, const pw_value *args)              \
    {                                                                                              \
        (void)in;                                                                                  \
        if (!want_number(m, args[0]) || !want_number(m, args[1]))                                  \
            return none;                                                                           \
        return pw_expr_number(m, function(pw_number(args[0]), pw_number(args[1])));                \
    }

static double lgamma_alone(double x)
{
    int sign; /* lgamma() itself writes a global */
    return lgamma_r(x, &sign);
}

static double significand_of(double x)
{
    if (x == 0 || isinf(x) || isnan(x))
        return x;
    return x / exp2(logb(x));
}

static double scaled(double x, double by)
{
    return ldexp(x, by > 1e5 ? 100000 : by < -1e5 ? -100000 : (int)by);
}

WHOLE(floor, floor)
WHOLE(ceil, ceil)
WHOLE(round, round)
WHOLE(trunc, trunc)
WHOLE(rint, rint)
WHOLE(nearbyint, nearbyint)
ONE(sqrt, sqrt)
ONE(cbrt, cbrt)
ONE(fabs, fabs)
ONE(sin, sin)
ONE(cos, cos)
ONE(tan, tan)
ONE(asin, asin)
ONE(acos, acos)
ONE(atan, atan)
ONE(sinh, sinh)
ONE(cosh, cosh)
ONE(tanh, tanh)
ONE(asinh, asinh)
ONE(acosh, acosh)
ONE(atanh, atanh)
ONE(exp, exp)
ONE(exp2, exp2)
ONE(exp10, exp10)
ONE(expm1, expm1)
ONE(log, log)
ONE(log2, log2)
ONE(log10, log10)
ONE(log1p, log1p)
ONE(logb, logb)
ONE(lgamma, lgamma_alone)
ONE(tgamma, tgamma)
ONE(significand, significand_of)
ONE(j0, j0)
ONE(j1, j1)
ONE(y0, y0)
ONE(y1, y1)
ONE(erf, erf)
ONE(erfc, erfc)
TWO(pow, pow)
TWO(atan2, atan2)
TWO(fmod, fmod)
TWO(fmin, fmin)
TWO(fmax, fmax)
TWO(fdim, fdim)
TWO(hypot, hypot)
TWO(copysign, copysign)
TWO(remainder, remainder)
TWO(nextafter, nextafter)
TWO(ldexp, scaled)

/* A Bessel function's order is a number of steps for the C library. */
static bool order_of(pw_expr_machine *m, const pw_value *args, int *order)
{
    if (!want_number(m, args[0]) || !want_number(m, args[1]))
        return false;
    double d = pw_number(args[0]);
    *order = d > 1e6 ? 1000000 : d > -1e6 ? (int)d : d <= -1e6 ? -1000000 : 0;
    pw_expr_charge(m, (uint64_t)abs(*order));
    return true;
}

pw_value pw_builtin_jn(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)in;
    int order;
    return order_of(m, args, &order) ? pw_expr_number(m, jn(order, pw_number(args[1]))) : none;
}

pw_value pw_builtin_yn(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)in;
    int order;
    return order_of(m, args, &order) ? pw_expr_number(m, yn(order, pw_number(args[1]))) : none;
}

pw_value pw_builtin_fma(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)in;
    if (!want_number(m, args[0]) || !want_number(m, args[1]) || !want_number(m, args[2]))
        return none;
    return pw_expr_number(m, fma(pw_number(args[0]), pw_number(args[1]), pw_number(args[2])));
}

static pw_value pair(pw_expr_machine *m, pw_value a, pw_value b)
{
    pw_value items[] = { a, b };
    return pw_array(m->arena, items, 2);
}

pw_value pw_builtin_lgamma_r(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    int sign = 0;
    if (!want_number(m, in))
        return none;
    double result = lgamma_r(pw_number(in), &sign);
    return pair(m, pw_expr_number(m, result), pw_int(sign));
}

pw_value pw_builtin_frexp(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    int exponent = 0;
    if (!want_number(m, in))
        return none;
    double fraction = frexp(pw_number(in), &exponent);
    return pair(m, pw_expr_number(m, fraction), pw_int(isfinite(fraction) ? exponent : 0));
}

pw_value pw_builtin_modf(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    double whole = 0;
    if (!want_number(m, in))
        return none;
    double fraction = modf(pw_number(in), &whole);
    return pair(m, pw_expr_number(m, fraction), pw_expr_number(m, whole));
}

/* Keeps the digits of a literal, unlike fabs; anything but a number is left as it is. */
pw_value pw_builtin_abs(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)args;
    if (!pw_is(in, PW_NUMBER))
        return in;
    double d = pw_number(in);
    return d < 0 ? pw_expr_negate(m, in) : d == 0 ? pw_int(0) : in;
}

pw_value pw_builtin_infinite(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)in, (void)args;
    return pw_expr_number(m, (double)INFINITY);
}

pw_value pw_builtin_nan(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)in, (void)args;
    return pw_expr_number(m, (double)NAN);
}

pw_value pw_builtin_isinfinite(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)m, (void)args;
    return pw_bool(pw_is(in, PW_NUMBER) && isinf(pw_number(in)));
}

pw_value pw_builtin_isnan(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)m, (void)args;
    return pw_bool(pw_is(in, PW_NUMBER) && isnan(pw_number(in)));
}

pw_value pw_builtin_isnormal(pw_expr_machine *m, pw_value in, const pw_value *args)
{
    (void)m, (void)args;
    return pw_bool(pw_is(in, PW_NUMBER) && isnormal(pw_number(in)));
}
