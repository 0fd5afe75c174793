// Node's @duckdb/node-api: an instance and a connection a read.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [link, told, seconds, packages] = process.argv.slice(2);
const { DuckDBInstance } = await import(pathToFileURL(createRequire(packages + "/").resolve("@duckdb/node-api")).href);
const IN = process.env.DATABASE ?? "";
const ONE = `select min(number)::int, max(number)::int, count(*)::int from ${IN}marts.fct_basket_daily`;
const TWO = `select (select number from ${IN}marts.dim_baskets), (select number from ${IN}marts.fct_headlines),
  (select max(number) from ${IN}ops.freshness)`;
const counts = { reads: 0, errors: 0, torn: 0, stale: 0 };
const problems = [];
const end = Date.now() + 1000 * Number(seconds);

while (Date.now() < end) {
  const expected = Number(readFileSync(told, "utf8"));
  counts.reads += 1;
  try {
    const instance = await DuckDBInstance.create(link, { access_mode: "READ_ONLY" });
    const connection = await instance.connect();
    const one = (await (await connection.run(ONE)).getRows())[0];
    const two = (await (await connection.run(TWO)).getRows())[0];
    connection.closeSync();
    instance.closeSync();
    const numbers = new Set([one[0], one[1], ...two]);
    if (numbers.size !== 1 || one[2] !== 5000) {
      counts.torn += 1;
      problems.push(`${one} beside ${two}`);
    } else if (one[0] < expected) {
      counts.stale += 1;
      problems.push(`${one} though ${expected} was published`);
    }
  } catch (error) {
    counts.errors += 1;
    problems.push(String(error).split("\n")[0]);
  }
}
console.log(Object.values(counts).join(" "));
console.log(problems.slice(0, 5).join("\n"));
