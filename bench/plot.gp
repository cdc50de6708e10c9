# Draws what bench/growth found out. usage: gnuplot -e "tables='DIRECTORY'; drawing='FILE.png'" bench/plot.gp
set terminal pngcairo size 1200,900 font "sans,11"
set output drawing
set datafile separator "\t"
set style data linespoints
set grid ytics
set key outside bottom center horizontal
set yrange [0:*]
set multiplot layout 2,2

# The points stand at equal distances, since each is a multiple of the one before.
set title "Throughput by size of the value, one transfer at a time"
set ylabel "GiB/s"
set xtics rotate by -35
plot tables."/sizes.tsv" using 0:2:xtic(1) every ::1 title "PUT" pt 7, \
     "" using 0:3 every ::1 title "GET" pt 5

set title "Throughput by transfers at once, 16 MiB each"
plot tables."/transfers.tsv" using 0:2:xtic(1) every ::1 title "PUT" pt 7, \
     "" using 0:3 every ::1 title "GET" pt 5

set title "Peak memory by transfers at once, 16 MiB each"
set ylabel "MiB"
plot tables."/transfers.tsv" using 0:6:xtic(1) every ::1 title "peak memory" pt 7

set title "Latency by number of values, 1 KiB each"
set ylabel "microseconds"
set logscale y
set yrange [*:*]
plot tables."/counts.tsv" using 0:2:xtic(1) every ::1 title "GET median" pt 7, \
     "" using 0:3 every ::1 title "GET 99 %" pt 6, \
     "" using 0:4 every ::1 title "PUT median" pt 5, \
     "" using 0:5 every ::1 title "PUT 99 %" pt 4
unset multiplot
