# SPDX-License-Identifier: Apache-2.0
# Draws what `./dev transfers --congestion cwnd.csv` wrote, one panel for each sender:
#   gnuplot -e "csv='cwnd.csv'; png='cwnd.png'" clients/transfers/congestion.gnuplot
# gnuplot is in Debian as gnuplot-nox; nothing else here needs it.
set datafile separator ","
set terminal pngcairo size 1000,1000
set output png
set grid
set yrange [0:]
array senders[3] = ["stack Reno", "stack CUBIC", "kernel CUBIC"]
# What slow start overshoots to is cut off: three times the median window.
stats csv every ::1 using ($3 / 1024.0) nooutput
set yrange [0 : 3 * STATS_median]
set multiplot layout 3,1 title "Congestion window, KiB over seconds"
do for [i = 1:3] {
  rows = sprintf("<grep '^%s,' '%s'", senders[i], csv)
  set title senders[i]
  plot rows using 2:($3 / 1024.0) with lines lw 1.5 title "cwnd", \
       rows using 2:($4 / 1024.0) with lines title "ssthresh", \
       rows using 2:($6 / 1024.0) with dots title "in flight"
}
unset multiplot
