#!/usr/bin/ruby
# frozen_string_literal: true

# Convert a month's invoices to euro and write each customer's total.
# Usage: convert_invoices.rb --month 2026-01 --output FOLDER
#
# An invoice is converted at the rate of its day, or of the last day before that had one (weekends), as the tax office
# wants it. Amounts are rational numbers until they are rounded half up to cents, once for each invoice.

# Lines on stdout and stderr stay in order, also in a pipe.
$stdout.sync = true

require "csv"
require "date"
require "optparse"

DATA = File.join(__dir__, "data")
EURO = "EUR"

# Rates of one currency by day, newest looked up first.
class RateTable
  def initialize(rows)
    @rates = rows.group_by { |row| row["currency"] }.transform_values do |of_currency|
      of_currency.map { |row| [Date.iso8601(row["date"]), row["per_euro"].to_r] }.sort.reverse
    end
  end

  # Units of the currency for one euro on a day, or nil when none is known.
  def per_euro(currency, day)
    return 1r if currency == EURO

    found = @rates.fetch(currency, []).find { |date, _| date <= day }
    found&.last
  end
end

# Cents of an invoice in euro, or nil without a rate.
def cents(invoice, rates)
  rate = rates.per_euro(invoice["currency"], Date.iso8601(invoice["date"]))
  rate && (invoice["amount"].to_r / rate * 100).round(half: :up)
end

def euro(cents)
  format("%d.%02d", *cents.divmod(100))
end

def write_totals(path, totals)
  CSV.open("#{path}.new", "w") do |csv|
    csv << %w[customer invoices euro]
    totals.sort_by { |customer, _| customer }.each { |customer, sums| csv << [customer, sums.size, euro(sums.sum)] }
  end
  File.rename("#{path}.new", path)
end

options = {}
OptionParser.new do |parser|
  parser.on("--month MONTH", /\A\d{4}-\d\d\z/) { |value| options[:month] = value }
  parser.on("--output FOLDER") { |value| options[:output] = value }
end.parse!
abort "usage: convert_invoices.rb --month 2026-01 --output FOLDER" unless options.size == 2

rates = RateTable.new(CSV.read(File.join(DATA, "rates.csv"), headers: true))
invoices = CSV.read(File.join(DATA, "invoices.csv"), headers: true)
invoices = invoices.select { |invoice| invoice["date"].start_with?(options[:month]) }
abort "no invoices in #{options[:month]}" if invoices.empty?

totals = Hash.new { |hash, customer| hash[customer] = [] }
without = invoices.reject do |invoice|
  amount = cents(invoice, rates)
  totals[invoice["customer"]] << amount if amount
end
without.each { |invoice| warn "#{invoice["number"]}: no rate for #{invoice["currency"]} on #{invoice["date"]}" }

write_totals(File.join(options[:output], "totals-#{options[:month]}.csv"), totals)
totals.sort_by { |_, sums| -sums.sum }.each { |customer, sums| puts format("%-12s %4d %14s EUR", customer, sums.size, euro(sums.sum)) }
sums = totals.values.flatten
puts "Result: #{sums.size} invoices of #{totals.size} customers are #{euro(sums.sum)} EUR; #{without.size} without a rate"
