#!/usr/bin/php
<?php
/**
 * Import the price lists of tables/ into the rating database, then rate the calls of calls/ anew.
 *
 * A price list may hold a prefix more than once; the newest row that was valid on the day of the call counts, and the
 * longest prefix of the called number decides. Money is counted in ten-thousandths of a euro, as integers.
 */
declare(strict_types=1);

const HOME = '/var/www/rating';
const OUTPUT = '/var/lib/rating';

/** Return a price as ten-thousandths of a euro, or null when it is no price. */
function price(string $text): ?int
{
    if (!preg_match('/^(\d+)\.(\d{4})$/', $text, $parts)) {
        return null;
    }
    return (int) $parts[1] * 10000 + (int) $parts[2];
}

/** Say what is wrong with a row of a price list, or null. */
function fault(array $row): ?string
{
    [$prefix, $destination, $connect, $perMinute, $increment, $from] = array_pad($row, 6, '');
    return match (true) {
        !ctype_digit($prefix) => "prefix '$prefix' is no number",
        $destination === '' => 'no destination',
        price($connect) === null => "connect price '$connect' is not like 0.0200",
        price($perMinute) === null => "price per minute '$perMinute' is not like 0.0200",
        !ctype_digit($increment) || (int) $increment === 0 => "increment '$increment' is no number of seconds",
        !preg_match('/^\d{4}-\d\d-\d\d$/', $from) => "date '$from' is not like 2026-01-31",
        default => null,
    };
}

/** Import every price list; return how many rows were taken and how many refused. */
function importTables(PDO $db): array
{
    $insert = $db->prepare('INSERT INTO rates VALUES (?, ?, ?, ?, ?, ?)');
    [$taken, $refused] = [0, 0];
    foreach (glob(HOME . '/tables/*.csv') as $file) {
        $lines = array_slice(file($file, FILE_IGNORE_NEW_LINES), 1, null, true);
        foreach ($lines as $index => $line) {
            $row = str_getcsv($line, ';', '"', '');
            if ($words = fault($row)) {
                fprintf(STDERR, "%s:%d: %s\n", basename($file), $index + 1, $words);
                $refused++;
                continue;
            }
            $insert->execute([$row[0], $row[1], price($row[2]), price($row[3]), (int) $row[4], $row[5]]);
            $taken++;
        }
        printf("%-12s read\n", basename($file));
    }
    return [$taken, $refused];
}

/** Return what a call costs. */
function cost(array $rate, int $seconds): int
{
    if ($seconds === 0) {
        return 0;
    }
    $billed = intdiv($seconds + $rate['increment'] - 1, $rate['increment']) * $rate['increment'];
    return $rate['connect'] + intdiv($billed * $rate['per_minute'] + 30, 60);
}

/** Rate every call; return the number rated, the number without a rate, and the sum. */
function rateCalls(PDO $db): array
{
    $find = $db->prepare(
        'SELECT * FROM rates WHERE substr(:callee, 1, length(prefix)) = prefix AND valid_from <= :day
         ORDER BY length(prefix) DESC, valid_from DESC LIMIT 1'
    );
    $insert = $db->prepare('INSERT INTO calls VALUES (?, ?, ?, ?)');
    [$rated, $without, $sum] = [0, 0, 0];
    foreach (glob(HOME . '/calls/*.csv') as $file) {
        foreach (array_slice(file($file, FILE_IGNORE_NEW_LINES), 1) as $line) {
            [$id, , $callee, $start, $seconds] = explode(';', $line);
            $find->execute(['callee' => $callee, 'day' => substr($start, 0, 10)]);
            $rate = $find->fetch(PDO::FETCH_ASSOC);
            if ($rate === false) {
                fprintf(STDERR, "call %s: no rate for %s\n", $id, $callee);
                $without++;
                continue;
            }
            $cost = cost($rate, (int) $seconds);
            $insert->execute([$id, $rate['destination'], (int) $seconds, $cost]);
            $rated++;
            $sum += $cost;
        }
    }
    return [$rated, $without, $sum];
}

/** Write calls, minutes and revenue of each destination. */
function buildStatistics(PDO $db, string $file): int
{
    $rows = $db->query(
        'SELECT destination, count(*), sum(seconds), sum(cost) FROM calls GROUP BY destination ORDER BY 4 DESC, 1'
    )->fetchAll(PDO::FETCH_NUM);
    $out = fopen("$file.new", 'w');
    fwrite($out, "destination;calls;seconds;euro\n");
    foreach ($rows as [$destination, $calls, $seconds, $cost]) {
        fprintf($out, "%s;%d;%d;%s\n", $destination, $calls, $seconds, euro($cost));
    }
    fclose($out);
    rename("$file.new", $file);
    return count($rows);
}

/** Return ten-thousandths of a euro as text. */
function euro(int $amount): string
{
    return sprintf('%d.%04d', intdiv($amount, 10000), $amount % 10000);
}

$db = new PDO('sqlite:' . OUTPUT . '/rating.sqlite');
$db->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
$db->exec(
    'DROP TABLE IF EXISTS rates; DROP TABLE IF EXISTS calls;
     CREATE TABLE rates (prefix TEXT, destination TEXT, connect INT, per_minute INT, increment INT, valid_from TEXT);
     CREATE TABLE calls (id TEXT PRIMARY KEY, destination TEXT, seconds INT, cost INT)'
);
$db->beginTransaction();
[$taken, $refused] = importTables($db);
[$rated, $without, $sum] = rateCalls($db);
$db->commit();
printf("%d destinations in statistics.csv\n", buildStatistics($db, OUTPUT . '/statistics.csv'));
printf(
    "Result: %d rates imported, %d refused; %d calls rated at %s EUR, %d without a rate\n",
    $taken, $refused, $rated, euro($sum), $without
);
