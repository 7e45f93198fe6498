#!/bin/sh
# csv2lp: what it makes of good readings, and that it names the line and column of bad ones.
set -eu

csv2lp=$BUSBAR_BUILDDIR/tools/csv2lp
header=device_id,timestamp,value
failed=0

# check NAME WANT GOT
check() {
    if [ "$2" = "$3" ]; then
        echo "ok: $1"
    else
        printf 'FAILED: %s\n  want: %s\n  got:  %s\n' "$1" "$2" "$3"
        failed=1
    fi
}

# accepts NAME ROW WANT
accepts() {
    check "$1" "$3" "$(printf '%s\n%s\n' "$header" "$2" | "$csv2lp" 2>&1)"
}

# refuses NAME ROW MESSAGE: and nothing is printed for the row
refuses() {
    status=0
    got=$(printf '%s\n%s\n' "$header" "$2" | "$csv2lp" 2>&1) || status=$?
    check "$1" "1 csv2lp: $3" "$status $got"
}

accepts 'a reading' 'M-1,2024-03-15T12:00:00Z,0.123' 'reading,device_id=M-1 value=0.123 1710504000'
accepts 'the epoch' 'M,1970-01-01T00:00:00Z,1' 'reading,device_id=M value=1 0'
accepts 'before it' 'M,1969-12-31T23:59:59Z,-1e-3' 'reading,device_id=M value=-1e-3 -1'
accepts 'a leap day' 'M,2000-02-29T00:00:00Z,5.' 'reading,device_id=M value=5. 951782400'
accepts 'escapes' 'a b=c,2038-01-19T03:14:08Z,.5' 'reading,device_id=a\ b\=c value=.5 2147483648'
check 'options' 'w\ x,device_id=M,fuel_type=gas value=1 0' \
    "$(printf '%s\nM,1970-01-01T00:00:00Z,1\n' "$header" | "$csv2lp" -m 'w x' -t fuel_type=gas)"
check 'no newline at the end' 'reading,device_id=M value=1 0' \
    "$(printf '%s\nM,1970-01-01T00:00:00Z,1' "$header" | "$csv2lp")"

is_no_time='is not a time as 2022-12-05T23:00:00Z'
refuses 'no device' ',2024-03-15T12:00:00Z,1' 'line 2, column 1 (device_id): empty'
refuses 'a quote' '"M",2024-03-15T12:00:00Z,1' \
    "line 2, column 1 (device_id): '\"M\"' holds a quote, backslash, tab or carriage return"
for t in 2024-03-15T12:00:00 2024-03-15T12:00:00+01 2023-02-29T00:00:00Z 2024-13-01T00:00:00Z \
    2024-03-15T24:00:00Z 2024-03-15T12:60:00Z 2024-03-15T12:00:60Z 2024-03-15T12:00:00.5Z \
    2024-00-01T00:00:00Z 2024-01-00T00:00:00Z 24-01-01T00:00:00Z 0000-01-01T00:00:00Z ''; do
    refuses "the time '$t'" "M,$t,1" "line 2, column 2 (timestamp): '$t' $is_no_time"
done
for v in '' . - 1e nan inf 0x10 '1 ' 1.2.3; do
    refuses "the value '$v'" "M,2024-03-15T12:00:00Z,$v" \
        "line 2, column 3 (value): '$v' is not a decimal number"
done
refuses 'a column too few' 'M,2024-03-15T12:00:00Z' 'line 2, column 3 (value): missing'
refuses 'a column too many' 'M,2024-03-15T12:00:00Z,1,2' 'line 2: more than 3 columns'
refuses 'an empty line' '' 'line 2, column 2 (timestamp): missing'

status=0
got=$(printf 'id,time,value\n' | "$csv2lp" 2>&1) || status=$?
check 'another header' "1 csv2lp: line 1: 'id,time,value' is not the header '$header'" \
    "$status $got"
status=0
got=$("$csv2lp" 2>&1 </dev/null) || status=$?
check 'no input' "1 csv2lp: line 1: no header '$header'" "$status $got"
status=0
printf '%s\nM\0,1970-01-01T00:00:00Z,1\n' "$header" | "$csv2lp" >/dev/null 2>&1 || status=$?
check 'a zero byte' 1 "$status"
if [ -w /dev/full ]; then
    status=0
    printf '%s\nM,1970-01-01T00:00:00Z,1\n' "$header" | "$csv2lp" 2>&1 >/dev/full | grep -q space ||
        status=1
    check 'a full disk' 0 "$status"
fi

for data in "$BUSBAR_SRCDIR"/tools/data/*.csv.gz; do
    rows=$(gzip -dc "$data" | tail -n +2 | wc -l)
    lines=$(gzip -dc "$data" | "$csv2lp" | wc -l)
    check "$(basename "$data"): every row" "$rows" "$lines"
done
exit $failed
