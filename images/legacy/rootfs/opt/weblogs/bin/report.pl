#!/usr/bin/perl
# Read what rotate.sh prints and write the report that the operators know: sites by traffic, then one line of sums.
use strict;
use warnings;

my (%site, @sum, $logs);
while (my $line = <STDIN>) {
    chomp $line;
    my ($name, $day, @numbers) = split /\t/, $line;
    die "report.pl: not a line of rotate.sh: $line\n" unless @numbers == 3;
    $logs++;
    $site{$name}[$_] += $numbers[$_], $sum[$_] += $numbers[$_] for 0 .. 2;
}
die "report.pl: nothing was rotated\n" unless $logs;

printf "%-12s %9s %12s %9s\n", qw(site requests bytes failures);
for my $name (sort { $site{$b}[1] <=> $site{$a}[1] || $a cmp $b } keys %site) {
    printf "%-12s %9d %12d %9d\n", $name, @{ $site{$name} };
}
printf "Result: %d logs rotated, %d requests, %d bytes served, %d failures\n", $logs, @sum;
