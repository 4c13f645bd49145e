/** How likely a count is, or a higher one, by chance alone. Exact up to rounding. */

/** Less than this adds nothing. */
const NEGLIGIBLE = 1e-12;

/** `drawn` of `total`, of which `marked` are marked: the chance that `atLeast` of the drawn are marked. */
export function hypergeometricTail({
  drawn,
  marked,
  total,
  atLeast,
}: {
  readonly drawn: number;
  readonly marked: number;
  readonly total: number;
  readonly atLeast: number;
}): number {
  const lowest = Math.max(atLeast, 0, drawn + marked - total);
  const highest = Math.min(drawn, marked);
  const whole = logChoose(total, drawn);
  const term = (hits: number): number =>
    Math.exp(logChoose(marked, hits) + logChoose(total - marked, drawn - hits) - whole);
  return sumTail(term, { lowest, highest, mean: (drawn * marked) / total });
}

/** The chance that of `count` events, each of which hits by `chance`, `atLeast` hit. */
export function binomialTail({
  count,
  chance,
  atLeast,
}: {
  readonly count: number;
  readonly chance: number;
  readonly atLeast: number;
}): number {
  const term = (hits: number): number =>
    Math.exp(logChoose(count, hits) + hits * Math.log(chance) + (count - hits) * Math.log1p(-chance));
  return sumTail(term, { lowest: Math.max(0, atLeast), highest: count, mean: count * chance });
}

/** Beyond the mean each term is less than the one before. */
function sumTail(
  term: (hits: number) => number,
  { lowest, highest, mean }: { readonly lowest: number; readonly highest: number; readonly mean: number },
): number {
  let sum = 0;
  for (let hits = lowest; hits <= highest; hits++) {
    const part = term(hits);
    sum += part;
    if (hits > mean && part < sum * NEGLIGIBLE) break;
  }
  return Math.min(1, sum);
}

function logChoose(of: number, count: number): number {
  return logFactorial(of) - logFactorial(count) - logFactorial(of - count);
}

/** Exact for the first ones, then by Stirling's series, whose error is below 1e-10 there. */
const STIRLING_FROM = 32;

function logFactorial(value: number): number {
  if (value < STIRLING_FROM) {
    let sum = 0;
    for (let factor = 2; factor <= value; factor++) sum += Math.log(factor);
    return sum;
  }
  const inverse = 1 / value;
  return (
    value * Math.log(value) -
    value +
    0.5 * Math.log(2 * Math.PI * value) +
    inverse / 12 -
    inverse ** 3 / 360 +
    inverse ** 5 / 1_260
  );
}
