/*
 * SELECT by streams of points: functions that no cells answer, subqueries, several sources, INTO.
 * The answers were compared with InfluxDB's, but for those that say otherwise.
 */
#include <stdio.h>
#include <string.h>

#include "tests/lib/dbtest.h"
#include "tests/lib/unit.h"

/* An answer a line. top() and its like under ORDER BY time DESC follow InfluxDB 1.8; 1.6 gives
 * rising times. */
/* clang-format off */
static const struct dbtest_question questions[] = {
    {"select median(v) from m",
     "m: time=0 median=2.5\n"},
    {"select median(v), stddev(v), percentile(v,50), mode(v) from m",
     "m: time=0 median=2.5 stddev=2.9025850547399985 percentile=2.5 mode=-1\n"},
    {"select median(v) from m group by h",
     "m{h=}: time=0 median=7\n"
     "m{h=a}: time=0 median=2\n"
     "m{h=b}: time=0 median=1\n"},
    {"select median(v) from m where time >= 1000s and time < 1330s group by time(1m)",
     "m: time=960000000000 median=1.5\n"
     "m: time=1020000000000 median=2.75\n"
     "m: time=1080000000000 median=3\n"
     "m: time=1140000000000 median=null\n"
     "m: time=1200000000000 median=null\n"
     "m: time=1260000000000 median=null\n"
     "m: time=1320000000000 median=null\n"},
    {"select stddev(v) from m where time >= 1000s and time < 1330s group by time(1m), h "
      "fill(previous)",
     "m{h=}: time=960000000000 stddev=null\n"
     "m{h=}: time=1020000000000 stddev=null\n"
     "m{h=}: time=1080000000000 stddev=null\n"
     "m{h=}: time=1140000000000 stddev=null\n"
     "m{h=}: time=1200000000000 stddev=null\n"
     "m{h=}: time=1260000000000 stddev=null\n"
     "m{h=}: time=1320000000000 stddev=null\n"
     "m{h=a}: time=960000000000 stddev=null\n"
     "m{h=a}: time=1020000000000 stddev=null\n"
     "m{h=a}: time=1080000000000 stddev=null\n"
     "m{h=a}: time=1140000000000 stddev=null\n"
     "m{h=a}: time=1200000000000 stddev=null\n"
     "m{h=a}: time=1260000000000 stddev=null\n"
     "m{h=a}: time=1320000000000 stddev=null\n"
     "m{h=b}: time=960000000000 stddev=null\n"
     "m{h=b}: time=1020000000000 stddev=null\n"
     "m{h=b}: time=1080000000000 stddev=null\n"
     "m{h=b}: time=1140000000000 stddev=null\n"
     "m{h=b}: time=1200000000000 stddev=null\n"
     "m{h=b}: time=1260000000000 stddev=null\n"
     "m{h=b}: time=1320000000000 stddev=null\n"},
    {"select percentile(v,50) from m",
     "m: time=1060000000000 percentile=2.5\n"},
    {"select percentile(v,50), h from m",
     "m: time=1060000000000 percentile=2.5 h=\"a\"\n"},
    {"select percentile(v,50), h from m where time >= 1000s and time < 1330s group by "
      "time(1m) fill(none)",
     "m: time=960000000000 percentile=1.5 h=\"a\"\n"
     "m: time=1020000000000 percentile=2.5 h=\"a\"\n"
     "m: time=1080000000000 percentile=-1 h=\"b\"\n"},
    {"select distinct(v) from m",
     "m: time=0 distinct=1.5\n"
     "m: time=0 distinct=2.5\n"
     "m: time=0 distinct=3\n"
     "m: time=0 distinct=-1\n"
     "m: time=0 distinct=7\n"},
    {"select distinct v from m",
     "m: time=0 distinct=1.5\n"
     "m: time=0 distinct=2.5\n"
     "m: time=0 distinct=3\n"
     "m: time=0 distinct=-1\n"
     "m: time=0 distinct=7\n"},
    {"select count(distinct(v)) from m",
     "m: time=0 count=5i\n"},
    {"select count(distinct v) from m where time >= 1000s and time < 1330s group by "
      "time(1m)",
     "m: time=960000000000 count=1i\n"
     "m: time=1020000000000 count=2i\n"
     "m: time=1080000000000 count=2i\n"
     "m: time=1140000000000 count=0i\n"
     "m: time=1200000000000 count=0i\n"
     "m: time=1260000000000 count=0i\n"
     "m: time=1320000000000 count=0i\n"},
    {"select distinct(s) from m",
     "m: time=0 distinct=\"q\"\n"},
    {"select mode(s) from m",
     "m: time=0 mode=\"q\"\n"},
    {"select top(v,2) from m",
     "m: time=1060000000000 top=3\n"
     "m: time=1120000000000 top=7\n"},
    {"select bottom(v,2) from m",
     "m: time=1000000000000 bottom=1.5\n"
     "m: time=1120000000000 bottom=-1\n"},
    {"select top(v,h,2) from m",
     "m: time=1060000000000 top=3 h=\"b\"\n"
     "m: time=1120000000000 top=7 h=null\n"},
    {"select first(v) + first(v::float) from m",
     "m: time=1000000000000 first_first=3\n"},
    {"select integral(x) from (select sum(v) as x from m)",
     ""},
    {"select integral(x) from (select sum(i) as x from m) where time > 5",
     ""},
    {"select integral(x) from (select sum(v) as x from m) where time > 5",
     "m: time=0 integral=0\n"},
    {"select v, s::integer from m where v > 5 fill(-1.5)",
     "m: time=1120000000000 v=7 s=-1i\n"},
    {"select v from m where * > 1 or distinct v > 1 or v > 5",
     "m: time=1120000000000 v=7\n"},
    {"select max(v) from m where time >= 960s and time < 1200s group by time(1m+1m), (h) "
      "fill(none)",
     "m{h=}: time=1080000000000 max=7\n"
     "m{h=a}: time=960000000000 max=2.5\n"
     "m{h=b}: time=960000000000 max=3\n"
     "m{h=b}: time=1080000000000 max=-1\n"},
    {"select mode(i), cumulative_sum(max(v::string)) from m where time >= 960s and time < 1080s "
      "group by time(2m) fill(-1.5)",
     "m: time=960000000000 mode=1i cumulative_sum=-1.5\n"},
    {"select top(v,s,2) from m",
     "m: time=1120000000000 top=7 s=null\n"},
    {"select top(v,h,r,3) from m",
     "m: time=1060000000000 top=3 h=\"b\" r=\"x\"\n"
     "m: time=1060000000000 top=2.5 h=\"a\" r=\"x\"\n"
     "m: time=1120000000000 top=7 h=null r=null\n"},
    {"select top(v,2), i from m",
     "m: time=1060000000000 top=3 i=null\n"
     "m: time=1120000000000 top=7 i=null\n"},
    {"select top(v,1) from m where time >= 1000s and time < 1330s group by time(1m)",
     "m: time=1000000000000 top=1.5\n"
     "m: time=1060000000000 top=3\n"
     "m: time=1120000000000 top=7\n"},
    {"select top(v,1), s from m group by h",
     "m{h=}: time=1120000000000 top=7 s=null\n"
     "m{h=a}: time=1060000000000 top=2.5 s=\"q\"\n"
     "m{h=b}: time=1060000000000 top=3 s=null\n"},
    {"select median(v) from m, n",
     "m: time=0 median=2.5\n"},
    {"select median(w), median(v) from m, n",
     "m: time=0 median=null median_1=2.5\n"
     "n: time=0 median=1.5 median_1=null\n"},
    {"select median(v) from /./",
     "m: time=0 median=2.5\n"
     "t: time=0 median=4\n"},
    {"select median(v) from m group by h order by time desc",
     "m{h=b}: time=0 median=1\n"
     "m{h=a}: time=0 median=2\n"
     "m{h=}: time=0 median=7\n"},
    {"select median(v) from t where time < 400s group by time(1m) order by time desc",
     "t: time=360000000000 median=null\n"
     "t: time=300000000000 median=20\n"
     "t: time=240000000000 median=4\n"
     "t: time=180000000000 median=null\n"
     "t: time=120000000000 median=10\n"
     "t: time=60000000000 median=2\n"
     "t: time=0 median=1\n"},
    {"select median(v) from t where time >= 0 and time < 400s group by time(1m) "
      "fill(linear)",
     "t: time=0 median=1\n"
     "t: time=60000000000 median=2\n"
     "t: time=120000000000 median=10\n"
     "t: time=180000000000 median=7\n"
     "t: time=240000000000 median=4\n"
     "t: time=300000000000 median=20\n"
     "t: time=360000000000 median=null\n"},
    {"select median(v), count(v) from t where time >= 0 and time < 400s group by time(1m) "
      "fill(0)",
     "t: time=0 median=1 count=1i\n"
     "t: time=60000000000 median=2 count=1i\n"
     "t: time=120000000000 median=10 count=1i\n"
     "t: time=180000000000 median=0 count=0i\n"
     "t: time=240000000000 median=4 count=1i\n"
     "t: time=300000000000 median=20 count=1i\n"
     "t: time=360000000000 median=0 count=0i\n"},
    {"select median(v) from t where time >= 0 and time < 400s group by time(1m),h limit 2 "
      "offset 1",
     "t{h=a}: time=60000000000 median=2\n"
     "t{h=a}: time=120000000000 median=null\n"
     "t{h=b}: time=60000000000 median=null\n"
     "t{h=b}: time=120000000000 median=10\n"},
    {"select median(v) from t where time >= 0 and time < 400s group by time(1m),h slimit "
      "1 soffset 1",
     "t{h=b}: time=0 median=null\n"
     "t{h=b}: time=60000000000 median=null\n"
     "t{h=b}: time=120000000000 median=10\n"
     "t{h=b}: time=180000000000 median=null\n"
     "t{h=b}: time=240000000000 median=null\n"
     "t{h=b}: time=300000000000 median=20\n"
     "t{h=b}: time=360000000000 median=null\n"},
    {"select x from (select median(v) as x from t group by h)",
     "t: time=0 x=2\n"
     "t: time=0 x=15\n"},
    {"select max(x) from (select median(v) as x from t group by h)",
     "t: time=0 max=15\n"},
    {"select max(x), h from (select median(v) as x from t group by h)",
     "t: time=0 max=15 h=\"b\"\n"},
    {"select * from (select median(v) as x from t group by h)",
     "t: time=0 h=\"a\" x=2\n"
     "t: time=0 h=\"b\" x=15\n"},
    {"select * from (select v,i from m)",
     "m: time=1000000000000 i=1i v=1.5\n"
     "m: time=1060000000000 i=null v=3\n"
     "m: time=1060000000000 i=2i v=2.5\n"
     "m: time=1120000000000 i=4i v=-1\n"
     "m: time=1120000000000 i=null v=7\n"
     "m: time=1300000000000 i=9i v=null\n"},
    {"select * from (select v,i from m) group by h",
     "m{h=}: time=1120000000000 i=null v=7\n"
     "m{h=a}: time=1000000000000 i=1i v=1.5\n"
     "m{h=a}: time=1060000000000 i=2i v=2.5\n"
     "m{h=b}: time=1060000000000 i=null v=3\n"
     "m{h=b}: time=1120000000000 i=4i v=-1\n"
     "m{h=c}: time=1300000000000 i=9i v=null\n"},
    {"select v from (select v,i,h from m) where h='a'",
     "m: time=1000000000000 v=1.5\n"
     "m: time=1060000000000 v=2.5\n"},
    {"select v from (select v from m group by h) where h='a'",
     "m: time=1000000000000 v=1.5\n"
     "m: time=1060000000000 v=2.5\n"},
    {"select mean(v) from (select v from m)",
     "m: time=0 mean=2.6000000000000001\n"},
    {"select mean(v) from (select v from m) group by h",
     "m{h=}: time=0 mean=7\n"
     "m{h=a}: time=0 mean=2\n"
     "m{h=b}: time=0 mean=1\n"},
    {"select mean(x) from (select max(v) as x from t group by time(1m),h) where time>=0 "
      "and time<400s group by time(2m)",
     "t: time=0 mean=1.5\n"
     "t: time=120000000000 mean=10\n"
     "t: time=240000000000 mean=12\n"
     "t: time=360000000000 mean=null\n"},
    {"select mean(x) from (select max(v) as x from t group by h) where time>=0 and "
      "time<400s group by time(2m)",
     "t: time=0 mean=2\n"
     "t: time=120000000000 mean=10\n"
     "t: time=240000000000 mean=12\n"
     "t: time=360000000000 mean=null\n"},
    {"select sum(x) from (select max(v) as x from t where time>=0 and time<400s group by "
      "time(1m),h fill(0)) group by h",
     "t{h=a}: time=0 sum=7\n"
     "t{h=b}: time=0 sum=30\n"},
    {"select max(y) from (select sum(x) as y from (select mean(v) as x from t group by "
      "time(1m),h) group by h) where time<400s",
     "t: time=0 max=30\n"},
    {"select x from (select v*2 as x from t) where x > 5",
     "t: time=120000000000 x=20\n"
     "t: time=240000000000 x=8\n"
     "t: time=300000000000 x=40\n"},
    {"select x+1 from (select v*2 as x from t) where x > 5",
     "t: time=120000000000 x=21\n"
     "t: time=240000000000 x=9\n"
     "t: time=300000000000 x=41\n"},
    {"select mean(x),max(x),first(x) from (select v*2 as x from t)",
     "t: time=0 mean=14.800000000000001 max=40 first=2\n"},
    {"select first(x),h from (select v*2 as x,h from t)",
     "t: time=0 first=2 h=\"a\"\n"},
    {"select last(x) from (select v*2 as x from t) group by h",
     "t{h=a}: time=240000000000 last=8\n"
     "t{h=b}: time=300000000000 last=40\n"},
    {"select count(x) from (select v as x from t),(select w as x from n)",
     "n: time=0 count=2i\n"
     "t: time=0 count=5i\n"},
    {"select x from (select v as x from t),(select w as x from n)",
     "n: time=1000000000000 x=1\n"
     "n: time=1000000000000 x=2\n"
     "t: time=0 x=1\n"
     "t: time=60000000000 x=2\n"
     "t: time=120000000000 x=10\n"
     "t: time=240000000000 x=4\n"
     "t: time=300000000000 x=20\n"},
    {"select v,i from m fill(0)",
     "m: time=1000000000000 v=1.5 i=1i\n"
     "m: time=1060000000000 v=3 i=0i\n"
     "m: time=1060000000000 v=2.5 i=2i\n"
     "m: time=1120000000000 v=-1 i=4i\n"
     "m: time=1120000000000 v=7 i=0i\n"
     "m: time=1300000000000 v=0 i=9i\n"},
    {"select v,i from m fill(previous)",
     "m: time=1000000000000 v=1.5 i=1i\n"
     "m: time=1060000000000 v=3 i=1i\n"
     "m: time=1060000000000 v=2.5 i=2i\n"
     "m: time=1120000000000 v=-1 i=4i\n"
     "m: time=1120000000000 v=7 i=4i\n"
     "m: time=1300000000000 v=7 i=9i\n"},
    {"select v,i,s from m group by h fill(previous)",
     "m{h=}: time=1120000000000 v=7 i=null s=null\n"
     "m{h=a}: time=1000000000000 v=1.5 i=1i s=null\n"
     "m{h=a}: time=1060000000000 v=2.5 i=2i s=\"q\"\n"
     "m{h=b}: time=1060000000000 v=3 i=null s=null\n"
     "m{h=b}: time=1120000000000 v=-1 i=4i s=null\n"
     "m{h=c}: time=1300000000000 v=null i=9i s=null\n"},
    {"select * from (select * from m)",
     "m: time=1000000000000 b=null h=\"a\" i=1i r=\"x\" s=null v=1.5\n"
     "m: time=1060000000000 b=true h=\"b\" i=null r=\"x\" s=null v=3\n"
     "m: time=1060000000000 b=null h=\"a\" i=2i r=\"x\" s=\"q\" v=2.5\n"
     "m: time=1120000000000 b=null h=\"b\" i=4i r=\"y\" s=null v=-1\n"
     "m: time=1120000000000 b=null h=null i=null r=null s=null v=7\n"
     "m: time=1300000000000 b=null h=\"c\" i=9i r=null s=null v=null\n"},
    {"select * from (select * from m group by h)",
     "m: time=1000000000000 b=null h=\"a\" i=1i r=\"x\" s=null v=1.5\n"
     "m: time=1060000000000 b=true h=\"b\" i=null r=\"x\" s=null v=3\n"
     "m: time=1060000000000 b=null h=\"a\" i=2i r=\"x\" s=\"q\" v=2.5\n"
     "m: time=1120000000000 b=null h=\"b\" i=4i r=\"y\" s=null v=-1\n"
     "m: time=1120000000000 b=null h=\"\" i=null r=null s=null v=7\n"
     "m: time=1300000000000 b=null h=\"c\" i=9i r=null s=null v=null\n"},
    {"select mean from (select mean(v) from m group by h)",
     "m: time=0 mean=7\n"
     "m: time=0 mean=2\n"
     "m: time=0 mean=1\n"},
    {"select mean, h from (select mean(v) from m group by h)",
     "m: time=0 mean=7 h=\"\"\n"
     "m: time=0 mean=2 h=\"a\"\n"
     "m: time=0 mean=1 h=\"b\"\n"},
    {"select mean(mean) from (select mean(v) from m group by *)",
     "m: time=0 mean=2.75\n"},
    {"select count(v) from (select v from t limit 2)",
     "t: time=0 count=2i\n"},
    {"select v from (select v from t limit 2)",
     "t: time=0 v=1\n"
     "t: time=60000000000 v=2\n"},
    {"select v from (select v from t group by h limit 1)",
     "t: time=0 v=1\n"
     "t: time=120000000000 v=10\n"},
    {"select v from (select v from t order by time desc limit 2)",
     "error: subqueries must be ordered in the same direction as the query itself\n"},
    {"select x from (select max(v)-min(v) as x from t group by time(2m),h) where time>=0 "
      "and time<400s",
     "t: time=0 x=1\n"
     "t: time=120000000000 x=0\n"
     "t: time=240000000000 x=0\n"
     "t: time=240000000000 x=0\n"},
    {"select mean(*) from (select v,i from m)",
     "m: time=0 mean_i=4 mean_v=2.6000000000000001\n"},
    {"select h from (select v,h from m)",
     "m: time=1000000000000 h=\"a\"\n"
     "m: time=1060000000000 h=\"a\"\n"
     "m: time=1060000000000 h=\"b\"\n"
     "m: time=1120000000000 h=\"b\"\n"
     "m: time=1120000000000 h=null\n"},
    {"select v, foo from (select v from m)",
     "m: time=1000000000000 v=1.5 foo=null\n"
     "m: time=1060000000000 v=3 foo=null\n"
     "m: time=1060000000000 v=2.5 foo=null\n"
     "m: time=1120000000000 v=-1 foo=null\n"
     "m: time=1120000000000 v=7 foo=null\n"},
    {"select max(foo) from (select v from m)",
     ""},
    {"select top(x,1) from (select v as x from t group by h)",
     "t: time=300000000000 top=20\n"},
    {"select top(x,h,2) from (select v as x from t group by h)",
     "t: time=240000000000 top=4 h=\"a\"\n"
     "t: time=300000000000 top=20 h=\"b\"\n"},
    {"select top(x,h,2) from (select v as x from t)",
     "t: time=240000000000 top=4 h=null\n"
     "t: time=300000000000 top=20 h=null\n"},
    {"select top(x,h,2) from (select mean(v) as x from t) where h = 'b'",
     "t: time=0 top=15 h=null\n"},
    {"select percentile(*,50) from (select s as v, v from m)",
     ""},
    {"select * from (select top(v,h,2) from t)",
     "t: time=240000000000 top=4\n"
     "t: time=300000000000 top=20\n"},
    {"select top(v,5) from t where time>=0 and time<400s group by time(2m)",
     "t: time=0 top=1\n"
     "t: time=60000000000 top=2\n"
     "t: time=120000000000 top=10\n"
     "t: time=240000000000 top=4\n"
     "t: time=300000000000 top=20\n"},
    {"select spread(x) from (select v as x from t)",
     "t: time=0 spread=19\n"},
    {"select mean(v) from m where v > 1 or i = 4",
     "m: time=0 mean=2.6000000000000001\n"},
    {"select median(v) from m where (v > 1 or i = 4) and h != 'a'",
     "m: time=0 median=3\n"},
    {"select count(v), median(i) from m group by h,r",
     "m{h=,r=}: time=0 count=1i median=null\n"
     "m{h=a,r=x}: time=0 count=2i median=1.5\n"
     "m{h=b,r=x}: time=0 count=1i median=null\n"
     "m{h=b,r=y}: time=0 count=1i median=4\n"
     "m{h=c,r=}: time=0 count=null median=9\n"},
    {"select median(nope) from m",
     ""},
    {"select median(nope), max(v) from m",
     "m: time=0 median=null max=7\n"},
    {"select top(v,3) from t order by time desc",
     "t: time=300000000000 top=20\n"
     "t: time=240000000000 top=4\n"
     "t: time=120000000000 top=10\n"},
    {"select v from (select v from t group by h limit 1)",
     "t: time=0 v=1\n"
     "t: time=120000000000 v=10\n"},
    {"select mean(x) from (select mean(v) as x from t where time >= 0 and time < 6m group "
      "by time(1m), h fill(0)) group by h",
     "t{h=a}: time=0 mean=1.1666666666666667\n"
     "t{h=b}: time=0 mean=5\n"},
    {"select max(mean) from (select mean(v) from t group by h), (select mean(i) from m "
      "group by h)",
     "m: time=0 max=9\n"
     "t: time=0 max=15\n"},
};

/* Functions of points, and of the values of a row. */
static const struct dbtest_question pass_questions[] = {
    {"select derivative(v,1m) from t",
     "t: time=60000000000 derivative=1\n"
     "t: time=120000000000 derivative=8\n"
     "t: time=240000000000 derivative=-3\n"
     "t: time=300000000000 derivative=16\n"},
    {"select derivative(v) from t group by h",
     "t{h=a}: time=60000000000 derivative=0.016666666666666666\n"
     "t{h=a}: time=240000000000 derivative=0.011111111111111112\n"
     "t{h=b}: time=300000000000 derivative=0.055555555555555552\n"},
    {"select non_negative_derivative(v,1m) from t",
     "t: time=60000000000 non_negative_derivative=1\n"
     "t: time=120000000000 non_negative_derivative=8\n"
     "t: time=300000000000 non_negative_derivative=16\n"},
    {"select difference(v) from t",
     "t: time=60000000000 difference=1\n"
     "t: time=120000000000 difference=8\n"
     "t: time=240000000000 difference=-6\n"
     "t: time=300000000000 difference=16\n"},
    {"select difference(i) from m",
     "m: time=1060000000000 difference=1i\n"
     "m: time=1120000000000 difference=2i\n"
     "m: time=1300000000000 difference=5i\n"},
    {"select non_negative_difference(v) from t group by h order by time desc",
     ""},
    {"select elapsed(v,1s) from t",
     "t: time=60000000000 elapsed=60i\n"
     "t: time=120000000000 elapsed=60i\n"
     "t: time=240000000000 elapsed=120i\n"
     "t: time=300000000000 elapsed=60i\n"},
    {"select elapsed(s) from m",
     ""},
    {"select moving_average(v,2) from t",
     "t: time=60000000000 moving_average=1.5\n"
     "t: time=120000000000 moving_average=6\n"
     "t: time=240000000000 moving_average=7\n"
     "t: time=300000000000 moving_average=12\n"},
    {"select moving_average(i,2) from m group by r",
     "m{r=x}: time=1060000000000 moving_average=1.5\n"},
    {"select cumulative_sum(v) from t",
     "t: time=0 cumulative_sum=1\n"
     "t: time=60000000000 cumulative_sum=3\n"
     "t: time=120000000000 cumulative_sum=13\n"
     "t: time=240000000000 cumulative_sum=17\n"
     "t: time=300000000000 cumulative_sum=37\n"},
    {"select cumulative_sum(i) from m",
     "m: time=1000000000000 cumulative_sum=1i\n"
     "m: time=1060000000000 cumulative_sum=3i\n"
     "m: time=1120000000000 cumulative_sum=7i\n"
     "m: time=1300000000000 cumulative_sum=16i\n"},
    {"select integral(v) from t",
     "t: time=0 integral=2010\n"},
    {"select integral(v,1m) from t where time >=0 and time < 400s group by time(2m)",
     "t: time=0 integral=7.5\n"
     "t: time=120000000000 integral=14\n"
     "t: time=240000000000 integral=12\n"},
    {"select integral(v) from t where time >= 0 and time < 400s group by time(2m),h",
     "t{h=a}: time=0 integral=229.99999999999997\n"
     "t{h=b}: time=120000000000 integral=1599.9999999999998\n"
     "t{h=b}: time=240000000000 integral=1100\n"},
    {"select integral(v) from t where time >= 0 and time < 400s group by time(2m) order "
      "by time desc",
     "t: time=360000000000 integral=-720\n"
     "t: time=360000000000 integral=0\n"
     "t: time=240000000000 integral=-840\n"
     "t: time=120000000000 integral=-450\n"
     "t: time=120000000000 integral=0\n"},
    {"select derivative(mean(v),1m) from t where time >= 0 and time < 400s group by "
      "time(1m)",
     "t: time=60000000000 derivative=1\n"
     "t: time=120000000000 derivative=8\n"
     "t: time=240000000000 derivative=-3\n"
     "t: time=300000000000 derivative=16\n"},
    {"select derivative(mean(v),1m) from t where time >= 60s and time < 400s group by "
      "time(1m),h fill(0)",
     "t{h=a}: time=60000000000 derivative=1\n"
     "t{h=a}: time=120000000000 derivative=-2\n"
     "t{h=a}: time=180000000000 derivative=0\n"
     "t{h=a}: time=240000000000 derivative=4\n"
     "t{h=a}: time=300000000000 derivative=-4\n"
     "t{h=a}: time=360000000000 derivative=0\n"
     "t{h=b}: time=60000000000 derivative=0\n"
     "t{h=b}: time=120000000000 derivative=10\n"
     "t{h=b}: time=180000000000 derivative=-10\n"
     "t{h=b}: time=240000000000 derivative=0\n"
     "t{h=b}: time=300000000000 derivative=20\n"
     "t{h=b}: time=360000000000 derivative=-20\n"},
    {"select difference(max(v)), mean(v) from t where time >= 60s and time < 400s group "
      "by time(1m) fill(linear)",
     "t: time=60000000000 difference=1 mean=2\n"
     "t: time=120000000000 difference=8 mean=10\n"
     "t: time=180000000000 difference=-3 mean=7\n"
     "t: time=240000000000 difference=-3 mean=4\n"
     "t: time=300000000000 difference=16 mean=20\n"
     "t: time=360000000000 difference=null mean=null\n"},
    {"select moving_average(sum(v),2) from t where time >= 0 and time < 400s group by "
      "time(1m) fill(previous)",
     "t: time=60000000000 moving_average=1.5\n"
     "t: time=120000000000 moving_average=6\n"
     "t: time=180000000000 moving_average=10\n"
     "t: time=240000000000 moving_average=7\n"
     "t: time=300000000000 moving_average=12\n"
     "t: time=360000000000 moving_average=20\n"},
    {"select cumulative_sum(count(v)) from t where time >= 0 and time < 400s group by "
      "time(1m)",
     "t: time=0 cumulative_sum=1i\n"
     "t: time=60000000000 cumulative_sum=2i\n"
     "t: time=120000000000 cumulative_sum=3i\n"
     "t: time=180000000000 cumulative_sum=3i\n"
     "t: time=240000000000 cumulative_sum=4i\n"
     "t: time=300000000000 cumulative_sum=5i\n"
     "t: time=360000000000 cumulative_sum=5i\n"},
    {"select mean(d) from (select difference(v) as d from t group by h)",
     "t: time=0 mean=4.333333333333333\n"},
    {"select derivative(x) from (select mean(v) as x from t where time >= 0 and time < "
      "400s group by time(1m))",
     "t: time=60000000000 derivative=0.016666666666666666\n"
     "t: time=120000000000 derivative=0.13333333333333333\n"
     "t: time=240000000000 derivative=-0.050000000000000003\n"
     "t: time=300000000000 derivative=0.26666666666666666\n"},
    {"select abs(v), sin(v), round(v), floor(v), ceil(v), sqrt(v), exp(v) from m",
     "m: time=1000000000000 abs=1.5 sin=0.99749498660405445 round=2 floor=1 ceil=2 "
      "sqrt=1.2247448713915889 exp=4.4816890703380645\n"
     "m: time=1060000000000 abs=3 sin=0.14112000805986721 round=3 floor=3 ceil=3 "
      "sqrt=1.7320508075688772 exp=20.085536923187668\n"
     "m: time=1060000000000 abs=2.5 sin=0.59847214410395655 round=3 floor=2 ceil=3 "
      "sqrt=1.5811388300841898 exp=12.182493960703473\n"
     "m: time=1120000000000 abs=1 sin=-0.8414709848078965 round=-1 floor=-1 ceil=-1 "
      "sqrt=-nan exp=0.36787944117144233\n"
     "m: time=1120000000000 abs=7 sin=0.65698659871878906 round=7 floor=7 ceil=7 "
      "sqrt=2.6457513110645907 exp=1096.6331584284585\n"},
    {"select abs(i), pow(i,2), log(v,2), atan2(v,i), ln(v), log2(v), log10(v), tan(v), "
      "cos(v), atan(v) from m",
     "m: time=1000000000000 abs=1i pow=1 log=0.58496250072115619 "
      "atan2=0.98279372324732905 ln=0.40546510810816438 log2=0.58496250072115619 "
      "log10=0.17609125905568124 tan=14.101419947171719 cos=0.070737201667702906 "
      "atan=0.98279372324732905\n"
     "m: time=1060000000000 abs=null pow=null log=1.5849625007211563 atan2=null "
      "ln=1.0986122886681098 log2=1.5849625007211561 log10=0.47712125471966244 "
      "tan=-0.1425465430742778 cos=-0.98999249660044542 atan=1.2490457723982544\n"
     "m: time=1060000000000 abs=2i pow=4 log=1.3219280948873624 "
      "atan2=0.89605538457134393 ln=0.91629073187415511 log2=1.3219280948873624 "
      "log10=0.3979400086720376 tan=-0.74702229723866032 cos=-0.8011436155469337 "
      "atan=1.1902899496825317\n"
     "m: time=1120000000000 abs=4i pow=16 log=-nan atan2=-0.24497866312686414 ln=-nan "
      "log2=-nan log10=nan tan=-1.5574077246549023 cos=0.54030230586813977 "
      "atan=-0.78539816339744828\n"
     "m: time=1120000000000 abs=null pow=null log=2.8073549220576042 atan2=null "
      "ln=1.9459101490553132 log2=2.8073549220576042 log10=0.84509804001425681 "
      "tan=0.87144798272431878 cos=0.7539022543433046 atan=1.4288992721907328\n"
     "m: time=1300000000000 abs=9i pow=81 log=null atan2=null ln=null log2=null "
      "log10=null tan=null cos=null atan=null\n"},
    {"select asin(v), acos(v) from t",
     "t: time=0 asin=1.5707963267948966 acos=0\n"
     "t: time=60000000000 asin=nan acos=nan\n"
     "t: time=120000000000 asin=nan acos=nan\n"
     "t: time=240000000000 asin=nan acos=nan\n"
     "t: time=300000000000 asin=nan acos=nan\n"},
    {"select abs(mean(v)) + 1 from m group by h",
     "m{h=}: time=0 abs=8\n"
     "m{h=a}: time=0 abs=3\n"
     "m{h=b}: time=0 abs=2\n"},
    {"select round(mean(v)) from t where time >= 0 and time < 400s group by time(1m) "
      "fill(0)",
     "t: time=0 round=1\n"
     "t: time=60000000000 round=2\n"
     "t: time=120000000000 round=10\n"
     "t: time=180000000000 round=0\n"
     "t: time=240000000000 round=4\n"
     "t: time=300000000000 round=20\n"
     "t: time=360000000000 round=0\n"},
    {"select abs(v,1) from m",
     "error: invalid number of arguments for abs, expected 1, got 2\n"},
    {"select pow(2, v) from t",
     "t: time=0 pow=2\n"
     "t: time=60000000000 pow=4\n"
     "t: time=120000000000 pow=1024\n"
     "t: time=240000000000 pow=16\n"
     "t: time=300000000000 pow=1048576\n"},
    {"select abs(v - 3) * 2 from t",
     "t: time=0 abs=4\n"
     "t: time=60000000000 abs=2\n"
     "t: time=120000000000 abs=14\n"
     "t: time=240000000000 abs=2\n"
     "t: time=300000000000 abs=34\n"},
    {"select max(abs) from (select abs(v) from m)",
     "m: time=1120000000000 max=7\n"},
    {"select derivative(v) from t limit 1",
     "t: time=60000000000 derivative=0.016666666666666666\n"},
    {"select derivative(v) from t order by time desc",
     "t: time=240000000000 derivative=-0.26666666666666666\n"
     "t: time=120000000000 derivative=0.050000000000000003\n"
     "t: time=60000000000 derivative=-0.13333333333333333\n"
     "t: time=0 derivative=-0.016666666666666666\n"},
    {"select elapsed(v) from t order by time desc",
     "t: time=240000000000 elapsed=-60000000000i\n"
     "t: time=120000000000 elapsed=-120000000000i\n"
     "t: time=60000000000 elapsed=-60000000000i\n"
     "t: time=0 elapsed=-60000000000i\n"},
};

static const char type_lines[] = "a,h=x v=1.5,s=\"t\" 10\n"
                                 "a,h=y v=2,s=\"u\" 20\n"
                                 "b,h=x v=3i,s=5 10\n"
                                 "b,h=y v=7i,w=true 30\n";

/* Fields of several types, and measurements that are named twice. */
static const struct dbtest_question type_questions[] = {
    {"select v, s from a, b",
     "a: time=10 v=1.5 s=null\n"
     "a: time=20 v=2 s=null\n"
     "b: time=10 v=3 s=5\n"
     "b: time=30 v=7 s=null\n"},
    {"select max(v), sum(v) from a, b",
     "a: time=0 max=2 sum=3.5\n"
     "b: time=0 max=7 sum=10\n"},
    {"select median(v) from a, b",
     "a: time=0 median=1.75\n"
     "b: time=0 median=5\n"},
    {"select sum(v::integer), mean(v::float) from a",
     "a: time=0 sum=3i mean=1.75\n"},
    {"select v from b, b",
     "b: time=10 v=3i\n"
     "b: time=10 v=3i\n"
     "b: time=30 v=7i\n"
     "b: time=30 v=7i\n"},
    {"select count(v) from a, /a/",
     "a: time=0 count=4i\n"},
    {"select v from (select v from a) where nothing != 'x'",
     "a: time=10 v=1.5\n"
     "a: time=20 v=2\n"},
};

/* Each writes, then asks for what it wrote. */
static const struct dbtest_question into_questions[] = {
    {"select v into z from m; select * from z",
     "result: time=0 written=5i\n"
     "z: time=1000000000000 v=1.5\n"
     "z: time=1060000000000 v=2.5\n"
     "z: time=1120000000000 v=7\n"},
    {"select mean(v) into z3 from t where time < 400s group by time(2m), h; select * from z3",
     "result: time=0 written=4i\n"
     "z3: time=0 h=\"a\" mean=1.5\n"
     "z3: time=120000000000 h=\"b\" mean=10\n"
     "z3: time=240000000000 h=\"a\" mean=4\n"
     "z3: time=240000000000 h=\"b\" mean=20\n"},
    {"select top(v,h,2) into z4 from t; select * from z4 group by *",
     "result: time=0 written=2i\n"
     "z4{h=a}: time=240000000000 top=4\n"
     "z4{h=b}: time=300000000000 top=20\n"},
    {"select * into \"t\".\"autogen\".:MEASUREMENT from t group by *; select count(v) from t",
     "result: time=0 written=5i\n"
     "t: time=0 count=5i\n"},
    {"select s, b into z5 from m group by *; select * from z5",
     "result: time=0 written=2i\n"
     "z5: time=1060000000000 b=null h=\"a\" r=\"x\" s=\"q\"\n"
     "z5: time=1060000000000 b=true h=\"b\" r=\"x\" s=null\n"},
    {"select s as v into m from m",
     "error: partial write: field type conflict: input field \"v\" on measurement \"m\" is type "
      "string, already exists as type float dropped=1\n"},
    {"select v into nope.autogen.z from m",
     "error: database not found: nope\n"},
    {"select time as x, v into z6 from m",
     "error: error finding time index in result\n"},
};
/* clang-format on */

static void test_general(void **state)
{
    (void)state;
    dbtest_ask_all(dbtest_small_lines, questions, sizeof(questions) / sizeof(questions[0]));
    dbtest_ask_all(dbtest_small_lines, pass_questions,
                   sizeof(pass_questions) / sizeof(pass_questions[0]));
}

static void test_types(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, type_lines);
    dbtest_ask(&t, type_questions, sizeof(type_questions) / sizeof(type_questions[0]));
    dbtest_close(&t);
}

static void test_into(void **state)
{
    (void)state;
    for (enum dbtest_state s = DBTEST_MEMTABLE; s < DBTEST_STATES; s++) {
        struct dbtest t;
        dbtest_open(&t);
        dbtest_load(&t, s, dbtest_small_lines);
        dbtest_ask(&t, into_questions, sizeof(into_questions) / sizeof(into_questions[0]));
        dbtest_close(&t);
    }
}

/* EXPLAIN names the streams, each below what it feeds; with ANALYZE also those of measurements, and
 * how many points they gave. */
static void test_explain(void **state)
{
    static const char *const parts[] = {
        "\"streams\"",
        "\"    windows to points: median: 3 points",
        "\"        rows of a subquery: 5 points",
        "\"            windows from cells: max: 5 points",
        "\"                cells of t: 5 points",
    };
    struct dbtest t;
    struct bbi_buf out;
    (void)state;
    bbi_buf_init(&out, NULL, 1 << 20);
    dbtest_open(&t);
    dbtest_write(&t, dbtest_small_lines);
    dbtest_query(&t,
                 "explain analyze select median(x) from (select max(v) as x from t group by "
                 "time(1m), h) where time < 400s group by time(2m)",
                 &out);
    bbi_buf_u8(&out, 0);
    const char *at = (const char *)out.data;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        at = strstr(at, parts[i]);
        if (at == NULL) {
            fail_msg("no %s in\n%s", parts[i], (const char *)out.data);
        }
    }
    bbi_buf_reset(&out);
    dbtest_query(&t, "explain select median(v) from t", &out);
    bbi_buf_u8(&out, 0);
    assert_non_null(strstr((const char *)out.data, "windows to points: median"));
    /* Measurements that are answered one by one are timed one by one; EXPLAIN alone runs none. */
    bbi_buf_reset(&out);
    dbtest_query(&t, "explain analyze select max(v) from t, m", &out);
    at = strstr((const char *)out.data, "aggregate m");
    at = at == NULL ? NULL : strstr(at, "\"    execution: ");
    at = at == NULL ? NULL : strstr(at, "aggregate t");
    at = at == NULL ? NULL : strstr(at, "\"    execution: ");
    assert_non_null(at);
    bbi_buf_reset(&out);
    dbtest_query(&t, "explain select max(v) from t, m", &out);
    assert_null(strstr((const char *)out.data, "execution"));
    dbtest_close(&t);
    bbi_buf_fini(&out);
}

/* As InfluxDB: a row with infinity is not written at all; not-a-number is null. */
static void test_into_infinity(void **state)
{
    struct dbtest t;
    (void)state;
    dbtest_open(&t);
    dbtest_write(&t, "m v=0 1\nm v=1 2\nm v=-1 3\n");
    dbtest_expect(&t, "SELECT v, log2(v) AS l INTO o FROM m", "result: time=0 written=2i\n");
    dbtest_expect(&t, "SELECT v, l FROM o", "o: time=2 v=1 l=0\no: time=3 v=-1 l=null\n");
    dbtest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_general),       cmocka_unit_test(test_types),
        cmocka_unit_test(test_into),          cmocka_unit_test(test_explain),
        cmocka_unit_test(test_into_infinity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
