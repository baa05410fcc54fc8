#!/usr/bin/env -S awk -f
# Sums samples by process and by what the running function belongs to, as a table in Markdown.
#
# First file: process id and arguments of each service. Second: what `perf script` prints with the fields
# pid, ip, sym and dso: "  983  55d0c1a2b3c4 name of the function (/its/file)".

# The first crate in a function's name that is not of the standard library or one of collections, or "".
function crate(name,    rest, root) {
    rest = name
    while (match(rest, /[A-Za-z_][A-Za-z0-9_]*::/)) {
        root = substr(rest, RSTART, RLENGTH - 2)
        if (root !~ /^(core|alloc|std|hashbrown|indexmap|slab|bytes|smallvec)$/) return root
        # Past this path, whose other parts are no crates.
        rest = substr(rest, RSTART)
        sub(/^[A-Za-z0-9_:]+/, "", rest)
    }
    return ""
}

function part(name, file,    root) {
    if (file ~ /^\(\[/) return "kernel"
    if (name ~ /^__(wt|pack|unpack|curfile|cursor|session|config|evict|tree|search|global|rec|txn)_|^LZ4_/) return "WiredTiger"
    if (name ~ /^(__)?mem(move|cpy|set|cmp)/) return "copying and comparing bytes"
    if (name ~ /^_?(rjem|mi)_|alloc$|alloc_|^c?free|^sdallocx|^_int_|^pthread_mutex_trylock|tcache|^arena_|^edata_|^unlink_chunk/) return "allocator"
    root = crate(name)
    if (root ~ /^(mongodb|bson|serde.*)$/) return "mongodb, bson"
    if (root ~ /^(lapin|amq_protocol.*|nom|cookie_factory|async_rs|event_listener|flume)$/) return "lapin and its parser"
    if (root ~ /^(tonic.*|h2|hyper.*|http.*|tower.*|axum.*|prost.*|matchit|atomic_waker)$/) return "tonic, hyper, prost"
    if (root ~ /^(mail_builder|email_address)$/) return "composing mail"
    if (root ~ /^(tracing.*|opentelemetry.*|sharded_slab|nu_ansi_term|thread_local)$/) return "log, metrics, traces"
    if (root ~ /^(tokio.*|mio|futures.*|parking_lot.*)$/) return "tokio, futures"
    if (root ~ /^waybill/) return "Waybill"
    if (root ~ /^secantus/) return "the database server itself"
    return "the rest"
}

NR == FNR { process[$1] = $3; next }

$NF ~ /\/(secantusd-rs|mongod)\)$/ { process[$1] = "database" }

$1 in process {
    who = process[$1]
    name = $0
    sub(/^ *[0-9]+ +[0-9a-f]+ /, "", name)
    sub(/ \([^ ]*\)$/, "", name)
    what = part(name, $NF)
    samples[who, what]++
    all[who]++
    parts[what] = 1
}

END {
    count = split("order user notification database", columns, " ")
    head = "| % of the process's samples |"
    line = "|---|"
    foot = "| samples |"
    for (i = 1; i <= count; i++) {
        if (!all[columns[i]]) {
            print "no samples of " columns[i] > "/dev/stderr"
            exit 1
        }
        head = head " " columns[i] " |"
        line = line "---|"
        foot = foot " " all[columns[i]] " |"
    }
    print head
    print line
    fflush()
    sorted = "sort -rn | cut -f2"
    for (what in parts) {
        row = "| " what " |"
        sum = 0
        for (i = 1; i <= count; i++) {
            share = 100 * samples[columns[i], what] / all[columns[i]]
            sum += share
            row = row (share ? sprintf(" %.1f |", share) : " – |")
        }
        print sum "\t" row | sorted
    }
    close(sorted)
    print foot
}
