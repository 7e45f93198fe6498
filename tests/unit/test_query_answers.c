/*
 * Answers: small data with every type, and three weeks of four meters over several partitions, each
 * asked in four states of the storage. All answers but those of errors of our own were compared
 * with InfluxDB's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/dbtest.h"
#include "tests/lib/unit.h"

/* An answer a line. */
/* clang-format off */
static const struct dbtest_question small_questions[] = {
    {"select * from m",
     "m: time=1000000000000 b=null h=\"a\" i=1i r=\"x\" s=null v=1.5\n"
     "m: time=1060000000000 b=true h=\"b\" i=null r=\"x\" s=null v=3\n"
     "m: time=1060000000000 b=null h=\"a\" i=2i r=\"x\" s=\"q\" v=2.5\n"
     "m: time=1120000000000 b=null h=\"b\" i=4i r=\"y\" s=null v=-1\n"
     "m: time=1120000000000 b=null h=null i=null r=null s=null v=7\n"
     "m: time=1300000000000 b=null h=\"c\" i=9i r=null s=null v=null\n"},
    {"select v from m",
     "m: time=1000000000000 v=1.5\n"
     "m: time=1060000000000 v=3\n"
     "m: time=1060000000000 v=2.5\n"
     "m: time=1120000000000 v=-1\n"
     "m: time=1120000000000 v=7\n"},
    {"select min from (select min(v) from m group by h)",
     "m: time=1000000000000 min=1.5\n"
     "m: time=1120000000000 min=7\n"
     "m: time=1120000000000 min=-1\n"},
    {"select min from (select min(v) from m group by h) order by time desc",
     "m: time=1120000000000 min=-1\n"
     "m: time=1120000000000 min=7\n"
     "m: time=1000000000000 min=1.5\n"},
    {"select * from (select max(v) from m where time >= 0 and time < 2000s group by time(1h), h)",
     "m: time=0 h=\"a\" max=2.5\n"
     "m: time=0 h=\"b\" max=3\n"
     "m: time=0 h=\"\" max=7\n"},
    {"select * from (select distinct(v) from t group by h)",
     "t: time=0 distinct=1 h=\"a\"\n"
     "t: time=0 distinct=2 h=\"a\"\n"
     "t: time=0 distinct=10 h=\"b\"\n"
     "t: time=0 distinct=4 h=\"a\"\n"
     "t: time=0 distinct=20 h=\"b\"\n"},
    {"select i from m group by h, r slimit 2",
     "m{h=c,r=}: time=1300000000000 i=9i\n"},
    {"select v from (select v, b from m) where b = false",
     "m: time=1000000000000 v=1.5\n"
     "m: time=1060000000000 v=2.5\n"
     "m: time=1120000000000 v=-1\n"
     "m: time=1120000000000 v=7\n"},
    {"select v from (select v, b from m) where b != true and v > 2",
     "m: time=1060000000000 v=2.5\n"
     "m: time=1120000000000 v=7\n"},
    {"select i, b from m where b != 1h",
     "m: time=1060000000000 i=null b=true\n"},
    {"select v from m where v > now() or b = now()",
     ""},
    {"select sin(v) - sin(1), v * pow(2, 3) from m limit 1",
     "m: time=1000000000000 sin=0.15602400179615794 v=12\n"},
    {"select v::unsigned from m where v < 2",
     "m: time=1000000000000 v=1u\n"
     "m: time=1120000000000 v=18446744073709551615u\n"},
    {"select asin(*) from m where i < 3",
     "m: time=1000000000000 asin_i=1.5707963267948966 asin_v=nan\n"
     "m: time=1060000000000 asin_i=nan asin_v=nan\n"},
    {"select count(*::tag) from m",
     "error: unable to use tag wildcard in count()\n"},
    {"select i + 9223372036854775808 from m",
     "error: type error: i::integer + 9223372036854775808: cannot use + with an integer and "
     "unsigned literal\n"},
    {"select i::unsigned * i from m",
     "error: type error: i::unsigned * i::integer: cannot use * between an integer and unsigned, "
     "an explicit cast is required\n"},
    {"select i::unsigned + 1 from m limit 1",
     "m: time=1000000000000 i=2u\n"},
    {"select * from (select abs(v) from m where time < 2000s group by time(1m))",
     "error: fill(none) must be used with a function\n"},
    {"select * from (select abs(v) from m where time < 2000s group by time(1m) fill(0))",
     "error: GROUP BY requires at least one aggregate function\n"},
    {"select v from m where abs(v) = 1",
     "m: time=1120000000000 v=-1\n"},
    {"select v from m where pow(v, 2) > 6 and floor(v) = 2.0",
     "m: time=1060000000000 v=2.5\n"},
    {"select v, h from m",
     "m: time=1000000000000 v=1.5 h=\"a\"\n"
     "m: time=1060000000000 v=2.5 h=\"a\"\n"
     "m: time=1060000000000 v=3 h=\"b\"\n"
     "m: time=1120000000000 v=-1 h=\"b\"\n"
     "m: time=1120000000000 v=7 h=null\n"},
    {"select h from m",
     ""},
    {"select v, i from m group by h",
     "m{h=}: time=1120000000000 v=7 i=null\n"
     "m{h=a}: time=1000000000000 v=1.5 i=1i\n"
     "m{h=a}: time=1060000000000 v=2.5 i=2i\n"
     "m{h=b}: time=1060000000000 v=3 i=null\n"
     "m{h=b}: time=1120000000000 v=-1 i=4i\n"
     "m{h=c}: time=1300000000000 v=null i=9i\n"},
    {"select v from m group by *",
     "m{h=,r=}: time=1120000000000 v=7\n"
     "m{h=a,r=x}: time=1000000000000 v=1.5\n"
     "m{h=a,r=x}: time=1060000000000 v=2.5\n"
     "m{h=b,r=x}: time=1060000000000 v=3\n"
     "m{h=b,r=y}: time=1120000000000 v=-1\n"},
    {"select v, nope from m",
     "m: time=1000000000000 v=1.5 nope=null\n"
     "m: time=1060000000000 v=3 nope=null\n"
     "m: time=1060000000000 v=2.5 nope=null\n"
     "m: time=1120000000000 v=-1 nope=null\n"
     "m: time=1120000000000 v=7 nope=null\n"},
    {"select v from m order by time desc",
     "m: time=1120000000000 v=-1\n"
     "m: time=1120000000000 v=7\n"
     "m: time=1060000000000 v=2.5\n"
     "m: time=1060000000000 v=3\n"
     "m: time=1000000000000 v=1.5\n"},
    {"select v from m limit 2 offset 1",
     "m: time=1060000000000 v=3\n"
     "m: time=1060000000000 v=2.5\n"},
    {"select v from m group by h order by time desc limit 1 slimit 2 soffset 1",
     "m{h=b}: time=1120000000000 v=-1\n"
     "m{h=a}: time=1060000000000 v=2.5\n"},
    {"select *::field from m limit 2",
     "m: time=1000000000000 b=null i=1i s=null v=1.5\n"
     "m: time=1060000000000 b=true i=null s=null v=3\n"},
    {"select w, v from m, n",
     "m: time=1000000000000 w=null v=1.5\n"
     "m: time=1060000000000 w=null v=3\n"
     "m: time=1060000000000 w=null v=2.5\n"
     "m: time=1120000000000 w=null v=-1\n"
     "m: time=1120000000000 w=null v=7\n"
     "n: time=1000000000000 w=1 v=null\n"
     "n: time=1000000000000 w=2 v=null\n"},
    {"select v from /m|n/ limit 1",
     "m: time=1000000000000 v=1.5\n"},
    {"select v as x, i as x, v from m limit 2",
     "m: time=1000000000000 x=1.5 x=1i v=1.5\n"
     "m: time=1060000000000 x=3 x=null v=3\n"},
    {"select time as t, v + i as both from m limit 3",
     "m: t=1000000000000 both=2.5\n"
     "m: t=1060000000000 both=null\n"
     "m: t=1060000000000 both=4.5\n"},
    {"select -v, v % 2, i / 2, i & 1, v / 0 from m limit 2",
     "m: time=1000000000000 v=-1.5 v_1=1.5 i=0.5 i_1=1i v_2=0\n"
     "m: time=1060000000000 v=-3 v_1=1 i=null i_1=null v_2=0\n"},
    {"select v::integer, i::float from m limit 3",
     "m: time=1000000000000 v=1i i=1\n"
     "m: time=1060000000000 v=3i i=null\n"
     "m: time=1060000000000 v=2i i=2\n"},
    {"select count(*), max(*) from m",
     "m: time=0 count_b=1i count_i=4i count_s=1i count_v=5i max_b=true max_i=9i max_v=7\n"},
    {"select (count(*)), ((max(*))) from m",
     "m: time=0 count_b=1i count_i=4i count_s=1i count_v=5i max_b=true max_i=9i max_v=7\n"},
    {"select mean(/v|i/) as z from m",
     "m: time=0 z_i=4 z_v=2.6000000000000001\n"},
    {"select max(v) from m",
     "m: time=1120000000000 max=7\n"},
    {"select max(v), min(v) from m",
     "m: time=0 max=7 min=-1\n"},
    {"select max(v), h, s from m",
     "m: time=1120000000000 max=7 h=null s=null\n"},
    {"select first(v), i from m",
     "m: time=1000000000000 first=1.5 i=1i\n"},
    {"select last(s), first(b) from m",
     "m: time=0 last=\"q\" first=true\n"},
    {"select first(v), last(v) from m where time = 1060s",
     "m: time=1060000000000 first=3 last=3\n"},
    {"select spread(v), spread(i) from m",
     "m: time=0 spread=8 spread_1=8i\n"},
    {"select count(nope), max(v) from m",
     "m: time=0 count=null max=7\n"},
    {"select mean(v), max(i) from m group by h",
     "m{h=}: time=0 mean=7 max=null\n"
     "m{h=a}: time=0 mean=2 max=2i\n"
     "m{h=b}: time=0 mean=1 max=4i\n"
     "m{h=c}: time=0 mean=null max=9i\n"},
    {"select mean(v) + 1, sum(v) / count(v) from m group by h",
     "m{h=}: time=0 mean=8 sum_count=7\n"
     "m{h=a}: time=0 mean=3 sum_count=2\n"
     "m{h=b}: time=0 mean=2 sum_count=1\n"},
    {"select count(v) from m where time > 1060s",
     "m: time=1060000000001 count=2i\n"},
    {"select count(v) from m where time > 10d",
     ""},
    {"select max(v) from m where time >= 1000s and time < 1330s group by time(1m) fill(previous)",
     "m: time=960000000000 max=1.5\n"
     "m: time=1020000000000 max=3\n"
     "m: time=1080000000000 max=7\n"
     "m: time=1140000000000 max=7\n"
     "m: time=1200000000000 max=7\n"
     "m: time=1260000000000 max=7\n"
     "m: time=1320000000000 max=7\n"},
    {"select max(i) from m where time >= 1000s and time < 1330s group by time(1m) fill(linear)",
     "m: time=960000000000 max=1i\n"
     "m: time=1020000000000 max=2i\n"
     "m: time=1080000000000 max=4i\n"
     "m: time=1140000000000 max=5i\n"
     "m: time=1200000000000 max=7i\n"
     "m: time=1260000000000 max=9i\n"
     "m: time=1320000000000 max=null\n"},
    {"select mean(v), count(i) from m where time >= 1000s and time < 1130s group by time(1m), h",
     "m{h=}: time=960000000000 mean=null count=null\n"
     "m{h=}: time=1020000000000 mean=null count=null\n"
     "m{h=}: time=1080000000000 mean=7 count=null\n"
     "m{h=a}: time=960000000000 mean=1.5 count=1i\n"
     "m{h=a}: time=1020000000000 mean=2.5 count=1i\n"
     "m{h=a}: time=1080000000000 mean=null count=0i\n"
     "m{h=b}: time=960000000000 mean=null count=0i\n"
     "m{h=b}: time=1020000000000 mean=3 count=0i\n"
     "m{h=b}: time=1080000000000 mean=-1 count=1i\n"},
    {"select mean(v), count(i) from m where time >= 1000s and time < 1130s group by time(1m), h "
      "fill(0)",
     "m{h=}: time=960000000000 mean=0 count=0i\n"
     "m{h=}: time=1020000000000 mean=0 count=0i\n"
     "m{h=}: time=1080000000000 mean=7 count=0i\n"
     "m{h=a}: time=960000000000 mean=1.5 count=1i\n"
     "m{h=a}: time=1020000000000 mean=2.5 count=1i\n"
     "m{h=a}: time=1080000000000 mean=0 count=0i\n"
     "m{h=b}: time=960000000000 mean=0 count=0i\n"
     "m{h=b}: time=1020000000000 mean=3 count=0i\n"
     "m{h=b}: time=1080000000000 mean=-1 count=1i\n"},
    {"select mean(v), count(i) from m where time >= 1000s and time < 1330s group by time(1m) "
      "fill(none) limit 2",
     "m: time=960000000000 mean=1.5 count=1i\n"
     "m: time=1020000000000 mean=2.75 count=1i\n"},
    {"select mean(v), count(i) from m where time >= 1000s and time < 1330s group by time(1m) "
      "limit 2 offset 3",
     "m: time=1140000000000 mean=null count=0i\n"
     "m: time=1200000000000 mean=null count=0i\n"},
    {"select last(s), last(b) from m where time >= 1000s and time < 1230s group by time(1m) "
      "fill(1)",
     "m: time=960000000000 last=\"\" last_1=false\n"
     "m: time=1020000000000 last=\"q\" last_1=true\n"
     "m: time=1080000000000 last=\"\" last_1=false\n"
     "m: time=1140000000000 last=\"\" last_1=false\n"
     "m: time=1200000000000 last=\"\" last_1=false\n"},
    {"select mean(v) from t where time >= 0 and time < 6m group by time(1m), h order by time desc",
     "t{h=b}: time=300000000000 mean=20\n"
     "t{h=b}: time=240000000000 mean=null\n"
     "t{h=b}: time=180000000000 mean=null\n"
     "t{h=b}: time=120000000000 mean=10\n"
     "t{h=b}: time=60000000000 mean=null\n"
     "t{h=b}: time=0 mean=null\n"
     "t{h=a}: time=300000000000 mean=null\n"
     "t{h=a}: time=240000000000 mean=4\n"
     "t{h=a}: time=180000000000 mean=null\n"
     "t{h=a}: time=120000000000 mean=null\n"
     "t{h=a}: time=60000000000 mean=2\n"
     "t{h=a}: time=0 mean=1\n"},
    {"select mean(v) from t where time >= 0 and time < 6m group by time(1m) fill(previous) order "
      "by time desc limit 2 offset 2",
     "t: time=180000000000 mean=4\n"
     "t: time=120000000000 mean=10\n"},
    {"select mean(v) from t where time >= 0 and time < 6m group by time(2m, 1m)",
     "t: time=-60000000000 mean=1\n"
     "t: time=60000000000 mean=6\n"
     "t: time=180000000000 mean=4\n"
     "t: time=300000000000 mean=20\n"},
    {"select mean(v) from t where time >= 30s and time < 6m group by time(2m, -30s)",
     "t: time=-30000000000 mean=2\n"
     "t: time=90000000000 mean=10\n"
     "t: time=210000000000 mean=12\n"
     "t: time=330000000000 mean=null\n"},
    {"select max(v), h from t where time >= 0 and time < 10m group by time(2m) fill(previous)",
     "t: time=0 max=2 h=\"a\"\n"
     "t: time=120000000000 max=10 h=\"b\"\n"
     "t: time=240000000000 max=20 h=\"b\"\n"
     "t: time=360000000000 max=20 h=\"b\"\n"
     "t: time=480000000000 max=20 h=\"b\"\n"},
    {"select v from t where v > 3 and h = 'b'",
     "t: time=120000000000 v=10\n"
     "t: time=300000000000 v=20\n"},
    {"select v from t where v > 3 or h = 'a'",
     "t: time=0 v=1\n"
     "t: time=60000000000 v=2\n"
     "t: time=120000000000 v=10\n"
     "t: time=240000000000 v=4\n"
     "t: time=300000000000 v=20\n"},
    {"select v from t where h != 'a' and h =~ /b/",
     "t: time=120000000000 v=10\n"
     "t: time=300000000000 v=20\n"},
    {"select v from t where nope != 'x' and nope = ''",
     "t: time=0 v=1\n"
     "t: time=60000000000 v=2\n"
     "t: time=120000000000 v=10\n"
     "t: time=240000000000 v=4\n"
     "t: time=300000000000 v=20\n"},
    {"select v from t where h > 1",
     ""},
    {"select v from m where s =~ /q/",
     "m: time=1060000000000 v=2.5\n"},
    {"select v from m where b = true",
     "m: time=1060000000000 v=3\n"},
    {"select v from m where v + i > 3",
     "m: time=1060000000000 v=2.5\n"},
    {"select v from m where 1 < v and i != 1",
     "m: time=1060000000000 v=2.5\n"},
    {"select sum(v) from t where v > 3 group by h",
     "t{h=a}: time=0 sum=4\n"
     "t{h=b}: time=0 sum=30\n"},
    {"select mean(v) from t group by nope, h",
     "t{h=a,nope=}: time=0 mean=2.3333333333333335\n"
     "t{h=b,nope=}: time=0 mean=15\n"},
    {"select v from t group by time(1m)",
     "error: GROUP BY requires at least one aggregate function\n"},
    {"select v from t fill(none)",
     "error: fill(none) must be used with a function\n"},
    {"select sum(v), v from t",
     "error: mixing aggregate and non-aggregate queries is not supported\n"},
    {"select max(v), min(v), h from m",
     "error: mixing multiple selector functions with tags or fields is not supported\n"},
    {"select foo(v) from m",
     "error: undefined function foo()\n"},
    {"select mean(s) from m",
     "error: unsupported mean iterator type: *query.stringInterruptIterator\n"},
    {"select s + 1 from m",
     "error: type error: s::string + 1: incompatible types: string and integer\n"},
    {"select v from m where mean(v) > 1",
     "error: invalid function call in condition: mean(v)\n"},
    {"select v from m where abs(mean(v)) > 1",
     "error: invalid function call in condition: mean(v)\n"},
    {"select v from m where pow(v) > 1",
     "error: invalid number of arguments for pow, expected 2, got 1\n"},
    {"select difference(top(v, 1)) from m where time >= 0 and time < 1m group by time(1s)",
     "error: selector function top() cannot be combined with other functions\n"},
    {"select mean(v) from t group by time(1m, '2000-01-01')",
     "error: invalid time dimension offset: '2000-01-01'\n"},
    {"select mean(v) from t group by time(1m, 5)",
     "error: time dimension offset must be duration or now()\n"},
    {"select time from m",
     "error: at least 1 non-time field must be queried\n"},
    {"select mean(v) from t group by time(1m), time(2m)",
     "error: multiple time dimensions not allowed\n"},
    {"select distinct(v), max(v) from m",
     "error: aggregate function distinct() cannot be combined with other functions or fields\n"},
    {"show measurements with measurement =~ /^[mnt]$/",
     "measurements: name=\"m\"\n"
     "measurements: name=\"n\"\n"
     "measurements: name=\"t\"\n"},
    {"show tag keys from m",
     "m: tagKey=\"h\"\n"
     "m: tagKey=\"r\"\n"},
    {"show tag values from m with key in (h, r)",
     "m: key=\"h\" value=\"a\"\n"
     "m: key=\"h\" value=\"b\"\n"
     "m: key=\"h\" value=\"c\"\n"
     "m: key=\"r\" value=\"x\"\n"
     "m: key=\"r\" value=\"y\"\n"},
    {"show tag values with key = h where r = 'x'",
     "m: key=\"h\" value=\"a\"\n"
     "m: key=\"h\" value=\"b\"\n"},
    {"show field keys from m",
     "m: fieldKey=\"b\" fieldType=\"boolean\"\n"
     "m: fieldKey=\"i\" fieldType=\"integer\"\n"
     "m: fieldKey=\"s\" fieldType=\"string\"\n"
     "m: fieldKey=\"v\" fieldType=\"float\"\n"},
    {"show series from m",
     ": key=\"m\"\n"
     ": key=\"m,h=a,r=x\"\n"
     ": key=\"m,h=b,r=x\"\n"
     ": key=\"m,h=b,r=y\"\n"
     ": key=\"m,h=c\"\n"},
    {"show series from m where h = 'b' limit 1 offset 1",
     ": key=\"m,h=b,r=y\"\n"},
};

static const struct dbtest_question weeks_questions[] = {
    {"select count(kwh), sum(kwh), min(kwh), max(kwh), first(kwh), last(kwh), spread(kwh) from "
      "meter",
     "meter: time=0 count=3643i sum=20021.845000000001 min=1 max=9.9990000000000006 "
      "first=7.3029999999999999 last=9.7859999999999996 spread=8.9990000000000006\n"},
    {"select count(n), sum(n), mean(n), min(n), max(n), first(n), last(n) from meter group by id",
     "meter{id=M0}: time=0 count=960i sum=4320i mean=4.5 min=-20i max=29i first=-20i last=9i\n"
     "meter{id=M1}: time=0 count=900i sum=4050i mean=4.5 min=-20i max=29i first=-19i last=10i\n"
     "meter{id=M3}: time=0 count=960i sum=4300i mean=4.479166666666667 min=-20i max=29i "
      "first=-17i last=12i\n"},
    {"select count(kwh), sum(kwh), mean(kwh), max(kwh) from meter where time >= '2010-01-01' and "
      "time < '2010-01-22' group by time(7d)",
     "meter: time=1262217600000000000 count=1051i sum=5762.3090000000002 mean=5.4826917221693625 "
      "max=9.8780000000000001\n"
     "meter: time=1262822400000000000 count=1296i sum=7127.8320000000003 mean=5.4998703703703704 "
      "max=9.9990000000000006\n"
     "meter: time=1263427200000000000 count=1296i sum=7131.7039999999997 mean=5.5028580246913581 "
      "max=9.9930000000000003\n"
     "meter: time=1264032000000000000 count=0i sum=null mean=null max=null\n"},
    {"select sum(kwh), max(n) from meter where time >= '2010-01-05T11:10:00Z' and time <= "
      "'2010-01-08T12:34:56Z' group by time(1d), site",
     "meter{site=a}: time=1262649600000000000 sum=261.197 max=29i\n"
     "meter{site=a}: time=1262736000000000000 sum=483.37599999999998 max=29i\n"
     "meter{site=a}: time=1262822400000000000 sum=488.18099999999998 max=29i\n"
     "meter{site=a}: time=1262908800000000000 sum=264.23200000000003 max=28i\n"
     "meter{site=b}: time=1262649600000000000 sum=136.55000000000001 max=29i\n"
     "meter{site=b}: time=1262736000000000000 sum=416.69400000000002 max=29i\n"
     "meter{site=b}: time=1262822400000000000 sum=522.84000000000003 max=29i\n"
     "meter{site=b}: time=1262908800000000000 sum=285.01799999999997 max=29i\n"},
    {"select count(kwh) from meter where time >= '2010-01-05' and time < '2010-01-06' group by "
      "time(2h), id fill(none)",
     "meter{id=M0}: time=1262649600000000000 count=4i\n"
     "meter{id=M0}: time=1262656800000000000 count=4i\n"
     "meter{id=M0}: time=1262664000000000000 count=4i\n"
     "meter{id=M0}: time=1262671200000000000 count=4i\n"
     "meter{id=M0}: time=1262678400000000000 count=4i\n"
     "meter{id=M0}: time=1262685600000000000 count=4i\n"
     "meter{id=M0}: time=1262692800000000000 count=4i\n"
     "meter{id=M0}: time=1262700000000000000 count=4i\n"
     "meter{id=M0}: time=1262707200000000000 count=4i\n"
     "meter{id=M0}: time=1262714400000000000 count=4i\n"
     "meter{id=M0}: time=1262721600000000000 count=4i\n"
     "meter{id=M0}: time=1262728800000000000 count=4i\n"
     "meter{id=M1}: time=1262649600000000000 count=4i\n"
     "meter{id=M1}: time=1262656800000000000 count=4i\n"
     "meter{id=M2}: time=1262649600000000000 count=3i\n"
     "meter{id=M2}: time=1262656800000000000 count=3i\n"
     "meter{id=M2}: time=1262664000000000000 count=4i\n"
     "meter{id=M2}: time=1262671200000000000 count=3i\n"
     "meter{id=M2}: time=1262678400000000000 count=4i\n"
     "meter{id=M2}: time=1262685600000000000 count=3i\n"
     "meter{id=M2}: time=1262692800000000000 count=4i\n"
     "meter{id=M2}: time=1262700000000000000 count=3i\n"
     "meter{id=M2}: time=1262707200000000000 count=3i\n"
     "meter{id=M2}: time=1262714400000000000 count=4i\n"
     "meter{id=M2}: time=1262721600000000000 count=3i\n"
     "meter{id=M2}: time=1262728800000000000 count=4i\n"
     "meter{id=M3}: time=1262649600000000000 count=4i\n"
     "meter{id=M3}: time=1262656800000000000 count=4i\n"
     "meter{id=M3}: time=1262664000000000000 count=4i\n"
     "meter{id=M3}: time=1262671200000000000 count=4i\n"
     "meter{id=M3}: time=1262678400000000000 count=4i\n"
     "meter{id=M3}: time=1262685600000000000 count=4i\n"
     "meter{id=M3}: time=1262692800000000000 count=4i\n"
     "meter{id=M3}: time=1262700000000000000 count=4i\n"
     "meter{id=M3}: time=1262707200000000000 count=4i\n"
     "meter{id=M3}: time=1262714400000000000 count=4i\n"
     "meter{id=M3}: time=1262721600000000000 count=4i\n"
     "meter{id=M3}: time=1262728800000000000 count=4i\n"},
    {"select mean(kwh) from meter where id = 'M1' and time >= '2010-01-04' and time < "
      "'2010-01-08' group by time(12h) fill(linear)",
     "meter: time=1262563200000000000 mean=5.6461666666666668\n"
     "meter: time=1262606400000000000 mean=5.2841666666666667\n"
     "meter: time=1262649600000000000 mean=5.3345000000000002\n"
     "meter: time=1262692800000000000 mean=4.8055000000000003\n"
     "meter: time=1262736000000000000 mean=4.2765000000000004\n"
     "meter: time=1262779200000000000 mean=5.5861666666666663\n"
     "meter: time=1262822400000000000 mean=5.5991666666666671\n"
     "meter: time=1262865600000000000 mean=5.237166666666667\n"},
    {"select max(kwh), id, n from meter where time >= '2010-01-10' and time < '2010-01-15' group "
      "by time(1d)",
     "meter: time=1263081600000000000 max=9.8620000000000001 id=\"M1\" n=24i\n"
     "meter: time=1263168000000000000 max=9.9990000000000006 id=\"M2\" n=null\n"
     "meter: time=1263254400000000000 max=9.9960000000000004 id=\"M2\" n=null\n"
     "meter: time=1263340800000000000 max=9.9949999999999992 id=\"M2\" n=null\n"
     "meter: time=1263427200000000000 max=9.9930000000000003 id=\"M2\" n=null\n"},
    {"select max(kwh) from meter group by id",
     "meter{id=M0}: time=1262340000000000000 max=9.7400000000000002\n"
     "meter{id=M1}: time=1262341800000000000 max=9.8780000000000001\n"
     "meter{id=M2}: time=1263169800000000000 max=9.9990000000000006\n"
     "meter{id=M3}: time=1262329200866000000 max=9.8209999999999997\n"},
    {"select last(kwh), site from meter group by id",
     "meter{id=M0}: time=1264030200000000000 last=3.4830000000000001 site=\"a\"\n"
     "meter{id=M1}: time=1264030200000000000 last=8.5839999999999996 site=\"b\"\n"
     "meter{id=M2}: time=1264030200000000000 last=4.6849999999999996 site=\"a\"\n"
     "meter{id=M3}: time=1264030200321000000 last=9.7859999999999996 site=\"b\"\n"},
    {"select first(note), last(note), count(note) from meter",
     "meter: time=0 first=\"n0\" last=\"n19\" count=20i\n"},
    {"select count(ok), first(ok), last(ok), min(ok), max(ok) from meter group by site",
     "meter{site=a}: time=0 count=19i first=true last=false min=false max=true\n"
     "meter{site=b}: time=0 count=19i first=true last=false min=false max=true\n"},
    {"select count(kwh), sum(kwh) from meter where kwh > 8.5",
     "meter: time=0 count=608i sum=5611.3850000000002\n"},
    {"select count(kwh) from meter where kwh > 2 and kwh <= 3 and n < 0 group by id",
     "meter{id=M0}: time=0 count=43i\n"
     "meter{id=M1}: time=0 count=40i\n"
     "meter{id=M3}: time=0 count=42i\n"},
    {"select sum(n) from meter where kwh > 9.9 or ok = true",
     "meter: time=0 sum=-23i\n"},
    {"select kwh, n from meter where time >= '2010-01-08T00:00:00Z' and time < "
      "'2010-01-08T01:00:00Z'",
     "meter: time=1262908800000000000 kwh=4.4320000000000004 n=-4i\n"
     "meter: time=1262908800000000000 kwh=9.5329999999999995 n=-3i\n"
     "meter: time=1262908800000000000 kwh=5.6340000000000003 n=null\n"
     "meter: time=1262908800784000000 kwh=1.7350000000000001 n=-1i\n"
     "meter: time=1262910600000000000 kwh=9.6709999999999994 n=null\n"
     "meter: time=1262910600000000000 kwh=4.5700000000000003 n=28i\n"
     "meter: time=1262910600000000000 kwh=8.4689999999999994 n=27i\n"
     "meter: time=1262910600703000000 kwh=5.7720000000000002 n=-20i\n"},
    {"select kwh from meter where id = 'M3' limit 3",
     "meter: time=1262304000000000000 kwh=7.3029999999999999\n"
     "meter: time=1262305800919000000 kwh=2.3399999999999999\n"
     "meter: time=1262307600838000000 kwh=6.3769999999999998\n"},
    {"select kwh from meter where id = 'M3' order by time desc limit 3",
     "meter: time=1264030200321000000 kwh=9.7859999999999996\n"
     "meter: time=1264028400402000000 kwh=5.7489999999999997\n"
     "meter: time=1264026600483000000 kwh=1.712\n"},
    {"select note from meter",
     "meter: time=1262304000000000000 note=\"n0\"\n"
     "meter: time=1262394000000000000 note=\"n1\"\n"
     "meter: time=1262484000000000000 note=\"n2\"\n"
     "meter: time=1262574000000000000 note=\"n3\"\n"
     "meter: time=1262664000000000000 note=\"n4\"\n"
     "meter: time=1262754000000000000 note=\"n5\"\n"
     "meter: time=1262844000000000000 note=\"n6\"\n"
     "meter: time=1262934000000000000 note=\"n7\"\n"
     "meter: time=1263024000000000000 note=\"n8\"\n"
     "meter: time=1263114000000000000 note=\"n9\"\n"
     "meter: time=1263204000000000000 note=\"n10\"\n"
     "meter: time=1263294000000000000 note=\"n11\"\n"
     "meter: time=1263384000000000000 note=\"n12\"\n"
     "meter: time=1263474000000000000 note=\"n13\"\n"
     "meter: time=1263564000000000000 note=\"n14\"\n"
     "meter: time=1263654000000000000 note=\"n15\"\n"
     "meter: time=1263744000000000000 note=\"n16\"\n"
     "meter: time=1263834000000000000 note=\"n17\"\n"
     "meter: time=1263924000000000000 note=\"n18\"\n"
     "meter: time=1264014000000000000 note=\"n19\"\n"},
    {"select kwh, ok from meter where ok = false",
     "meter: time=1262496600000000000 kwh=6.9589999999999996 ok=false\n"
     "meter: time=1262496600000000000 kwh=2.0600000000000001 ok=false\n"
     "meter: time=1262496600000000000 kwh=7.1609999999999996 ok=false\n"
     "meter: time=1262496600333000000 kwh=3.262 ok=false\n"
     "meter: time=1262856600000000000 kwh=5.359 ok=false\n"
     "meter: time=1262856600000000000 kwh=1.46 ok=false\n"
     "meter: time=1262856600000000000 kwh=6.5609999999999999 ok=false\n"
     "meter: time=1262856600133000000 kwh=2.6619999999999999 ok=false\n"
     "meter: time=1263216600000000000 kwh=4.7590000000000003 ok=false\n"
     "meter: time=1263216600000000000 kwh=9.8599999999999994 ok=false\n"
     "meter: time=1263216600933000000 kwh=1.0620000000000001 ok=false\n"
     "meter: time=1263576600000000000 kwh=8.2599999999999998 ok=false\n"
     "meter: time=1263576600000000000 kwh=3.1589999999999998 ok=false\n"
     "meter: time=1263576600000000000 kwh=4.3609999999999998 ok=false\n"
     "meter: time=1263576600733000000 kwh=9.4619999999999997 ok=false\n"
     "meter: time=1263936600000000000 kwh=2.5590000000000002 ok=false\n"
     "meter: time=1263936600000000000 kwh=7.6600000000000001 ok=false\n"
     "meter: time=1263936600000000000 kwh=3.7610000000000001 ok=false\n"
     "meter: time=1263936600533000000 kwh=8.8620000000000001 ok=false\n"},
    {"select * from meter order by time desc limit 5 offset 2",
     "meter: time=1264030200000000000 id=\"M1\" kwh=8.5839999999999996 n=10i note=null ok=null "
      "site=\"b\"\n"
     "meter: time=1264030200000000000 id=\"M0\" kwh=3.4830000000000001 n=9i note=null ok=null "
      "site=\"a\"\n"
     "meter: time=1264028400402000000 id=\"M3\" kwh=5.7489999999999997 n=-19i note=null ok=null "
      "site=\"b\"\n"
     "meter: time=1264028400000000000 id=\"M2\" kwh=9.6479999999999997 n=null note=null ok=null "
      "site=\"a\"\n"
     "meter: time=1264028400000000000 id=\"M1\" kwh=4.5469999999999997 n=29i note=null ok=null "
      "site=\"b\"\n"},
    {"select n from meter group by id limit 2 offset 7",
     "meter{id=M0}: time=1262316600000000000 n=-3i\n"
     "meter{id=M0}: time=1262318400000000000 n=28i\n"
     "meter{id=M1}: time=1262316600000000000 n=-2i\n"
     "meter{id=M1}: time=1262318400000000000 n=29i\n"
     "meter{id=M3}: time=1262316600433000000 n=0i\n"
     "meter{id=M3}: time=1262318400352000000 n=-19i\n"},
    {"select kwh from meter where kwh > 9.99 group by site",
     "meter{site=a}: time=1263169800000000000 kwh=9.9990000000000006\n"
     "meter{site=a}: time=1263218400000000000 kwh=9.9979999999999993\n"
     "meter{site=a}: time=1263315600000000000 kwh=9.9960000000000004\n"
     "meter{site=a}: time=1263364200000000000 kwh=9.9949999999999992\n"
     "meter{site=a}: time=1263412800000000000 kwh=9.9939999999999998\n"
     "meter{site=a}: time=1263461400000000000 kwh=9.9930000000000003\n"
     "meter{site=a}: time=1263510000000000000 kwh=9.9920000000000009\n"
     "meter{site=a}: time=1263558600000000000 kwh=9.9909999999999997\n"},
    {"select mean(kwh) from meter where time >= '2010-01-20' and time < '2010-01-23' group by "
      "time(1d) fill(previous)",
     "meter: time=1263945600000000000 mean=5.5435675675675675\n"
     "meter: time=1264032000000000000 mean=5.5435675675675675\n"
     "meter: time=1264118400000000000 mean=5.5435675675675675\n"},
    {"select sum(kwh) from meter where time < '2010-01-03' group by time(1d)",
     "meter: time=1262304000000000000 sum=1005.402\n"
     "meter: time=1262390400000000000 sum=1014.703\n"},
    {"select count(kwh) from meter where time >= '2010-01-03' and time < '2010-01-05' group by "
      "time(1d) order by time desc",
     "meter: time=1262563200000000000 count=186i\n"
     "meter: time=1262476800000000000 count=185i\n"},
};
/* clang-format on */

/* Four meters every half hour: M1 has a gap, M2 lacks every seventh reading, M3 jitters. */
static char *weeks_lines(void)
{
    struct bbi_buf b;
    bbi_buf_init(&b, NULL, 8u << 20);
    for (int m = 0; m < 4; m++) {
        for (int k = 0; k < 960; k++) {
            if ((m == 1 && k >= 200 && k < 260) || (m == 2 && k % 7 == 3)) {
                continue;
            }
            int64_t t = (INT64_C(1262304000) + k * 1800) * 1000000000;
            t += m == 3 ? (int64_t)(k * 7919 % 1000) * 1000000 : 0;
            bbi_buf_printf(&b, "meter,id=M%d,site=%c kwh=%d.%03d", m, "ab"[m % 2],
                           (k * 13 + m * 5) % 9 + 1, (k * 37 + m * 101) % 1000);
            if (m != 2) {
                bbi_buf_printf(&b, ",n=%di", (k * 31 + m) % 50 - 20);
            }
            if (m == 0 && k % 50 == 0) {
                bbi_buf_printf(&b, ",note=\"n%d\"", k / 50);
            }
            if (k % 100 == 7) {
                bbi_buf_printf(&b, ",ok=%s", k % 200 == 7 ? "true" : "false");
            }
            bbi_buf_printf(&b, " %" PRId64 "\n", t);
        }
    }
    bbi_buf_u8(&b, 0);
    assert_int_equal(b.err, BB_OK);
    char *lines = strdup((const char *)b.data);
    bbi_buf_fini(&b);
    assert_non_null(lines);
    return lines;
}

static void test_small(void **state)
{
    (void)state;
    dbtest_ask_all(dbtest_small_lines, small_questions,
                   sizeof(small_questions) / sizeof(small_questions[0]));
}

static void test_weeks(void **state)
{
    (void)state;
    char *lines = weeks_lines();
    dbtest_ask_all(lines, weeks_questions, sizeof(weeks_questions) / sizeof(weeks_questions[0]));
    free(lines);
}

/* Groups of series that have all their tags in them, and of such that have others too, in either
 * order of coming. */
static void test_whole_and_part(void **state)
{
    static const char whole_first[] = "m,a=1 v=1 1\nm,a=2 v=2 2\nm v=3 3\nm,a=1,b=1 v=4 4\n"
                                      "m,b=1 v=5 5\nm,a=2,b=2 v=6 6\nm,a=3 v=7 7\n";
    static const char part_first[] = "m,a=1,b=1 v=4 4\nm,a=1 v=1 1\nm,b=1 v=5 5\nm,a=2 v=2 2\n"
                                     "m v=3 3\nm,a=2,b=2 v=6 6\nm,a=3 v=7 7\n";
    static const struct dbtest_question questions[] = {
        {"SELECT sum(v) FROM m GROUP BY a", "m{a=}: time=0 sum=8\nm{a=1}: time=0 sum=5\n"
                                            "m{a=2}: time=0 sum=8\nm{a=3}: time=0 sum=7\n"},
        {"SELECT sum(v) FROM m GROUP BY b",
         "m{b=}: time=0 sum=13\nm{b=1}: time=0 sum=9\nm{b=2}: time=0 sum=6\n"},
        {"SELECT sum(v) FROM m GROUP BY *",
         "m{a=,b=}: time=0 sum=3\nm{a=,b=1}: time=0 sum=5\nm{a=1,b=}: time=0 sum=1\n"
         "m{a=1,b=1}: time=0 sum=4\nm{a=2,b=}: time=0 sum=2\nm{a=2,b=2}: time=0 sum=6\n"
         "m{a=3,b=}: time=0 sum=7\n"},
        {"SELECT v, a FROM m LIMIT 4", "m: time=1 v=1 a=\"1\"\nm: time=2 v=2 a=\"2\"\n"
                                       "m: time=3 v=3 a=null\nm: time=4 v=4 a=\"1\"\n"},
    };
    (void)state;
    dbtest_ask_all(whole_first, questions, sizeof(questions) / sizeof(questions[0]));
    dbtest_ask_all(part_first, questions, sizeof(questions) / sizeof(questions[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_weeks),
        cmocka_unit_test(test_whole_and_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
