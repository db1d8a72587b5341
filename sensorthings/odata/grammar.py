"""The grammar of query options, for lark's LALR parser.

What lives here: the grammar text, one start rule for each option. What does not: what the rules build
(`sensorthings.odata.parser`).

`not` binds looser than comparisons here: for every expression that the standard allows, both readings mean
the same, and `not name eq 'x'` is understood as well.

Source: OGC 18-088, clause 9.3.3 (system query options) and OData 4.0 ABNF.
"""

GRAMMAR = r"""
filter: expression
orderby: order_key ("," order_key)*
select: select_path ("," select_path)*
expand: expand_item ("," expand_item)*

?expression: conjunction ("or" conjunction)*     -> disjunction
?conjunction: condition ("and" condition)*       -> conjunction
?condition: "not" condition                      -> negation
          | equality
?equality: relational
         | equality EQUALITY relational          -> operation
?relational: sum
           | relational ORDER sum                -> operation
           | relational "in" "(" arguments ")"   -> membership
?sum: product
    | sum SUM product                            -> operation
?product: primary
        | product PRODUCT primary                -> operation
?primary: literal
        | path
        | steps "/" QUANTIFIER "(" [NAME ":" expression] ")" -> quantified
        | NAME "(" [arguments] ")"               -> call
        | "(" expression ")"
arguments: expression ("," expression)*

path: steps
steps: step
     | steps "/" (step | index)
step: NAME ("[" INTEGER "]")*
index: INTEGER

?literal: "null"     -> null
        | "true"     -> true
        | "false"    -> false
        | INTEGER    -> integer
        | NUMBER     -> number
        | TEXT       -> text
        | PERIOD     -> period
        | INSTANT    -> instant
        | DAY        -> day
        | CLOCK      -> clock
        | DURATION   -> duration
        | GEOGRAPHY  -> geography

order_key: expression [DIRECTION]
select_path: NAME ("/" NAME)*
expand_item: NAME ("/" NAME)* ["(" expand_option (";" expand_option)* ")"]
expand_option: "$filter" "=" expression          -> filter_option
             | "$orderby" "=" orderby            -> orderby_option
             | "$select" "=" select              -> select_option
             | "$expand" "=" expand              -> expand_option
             | "$top" "=" INTEGER                -> top_option
             | "$skip" "=" INTEGER               -> skip_option
             | "$count" "=" "true"               -> counted_option
             | "$count" "=" "false"              -> uncounted_option

QUANTIFIER.6: /(any|all)(?=\s*\()/
EQUALITY: "eq" | "ne"
ORDER: "gt" | "ge" | "lt" | "le"
SUM: "add" | "sub"
PRODUCT: "mul" | "div" | "mod"
DIRECTION: "asc"i | "desc"i

PERIOD.6: INSTANT "/" (INSTANT | /P[\dDTHMSW.]+/)
INSTANT.5: /\d{4}-\d\d-\d\dT[\d:.,]+(Z|[ +-]\d\d(:?\d\d)?)?/
DAY.4: /\d{4}-\d\d-\d\d/
CLOCK.4: /\d\d:\d\d(:\d\d(\.\d+)?)?/
NUMBER.3: /-?\d+(\.\d+([eE][+-]?\d+)?|[eE][+-]?\d+)(?![\w])/
INTEGER.2: /-?\d+(?![\w.])/
DURATION.3: /duration'[^']*'/
GEOGRAPHY.3: /geography'[^']*'/
TEXT: /'([^']|'')*'/
NAME: /@?[^\W\d][\w.\-]*/

%ignore /[ \t]+/
"""
