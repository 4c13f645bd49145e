/** Whether a version of Node is in a range of `engines.node`, by the grammar of npm: `>=24 <27`, `^24.1`, `24.x || 26`, `22 - 24`. */

type Version = readonly [number, number, number];
type Test = (version: Version) => boolean;

/** Null where the range can't be read: then nobody can say. */
export function isInRange(version: string, range: string): boolean | null {
  const actual = parse(version);
  const alternatives = range.split('||').map((text) => toTests(text.trim()));
  if (actual === null || alternatives.includes(null)) return null;
  return alternatives.some((tests) => tests?.every((test) => test(actual.floor)));
}

interface Partial {
  readonly floor: Version;
  /** How many numbers are said: `24.x` has one. */
  readonly precision: number;
}

const numbers = /^[v=\s]*(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:-[\w.-]+)?(?:\+[\w.-]+)?$/;

function parse(text: string): Partial | null {
  const parts = numbers.exec(text)?.slice(1);
  if (parts === undefined) return null;
  const said = parts.findIndex((part) => !/^\d+$/.test(part ?? ''));
  const precision = said === -1 ? 3 : said;
  const at = (index: number): number => (index < precision ? Number(parts[index]) : 0);
  return { floor: [at(0), at(1), at(2)], precision };
}

/** Null where it can't be read. */
function toTests(text: string): readonly Test[] | null {
  const between = /^(\S+)\s+-\s+(\S+)$/.exec(text);
  const comparators =
    between === null
      ? text
          .replaceAll(/(>=|<=|[<>=^~])\s+/g, '$1')
          .split(/\s+/)
          .filter((word) => word !== '')
      : [`>=${between[1]}`, `<=${between[2]}`];
  const tests = comparators.map((word) => toTest(word));
  return tests.every((test) => test !== null) ? tests : null;
}

function toTest(word: string): Test | null {
  const [, operator = '', rest = ''] = /^(>=|<=|[<>=^~])?(.*)$/.exec(word) ?? [];
  const partial = parse(rest);
  if (partial === null) return null;
  const { floor, precision } = partial;
  const isFrom: Test = (version) => compare(version, floor) >= 0;
  const isBelow =
    (ceiling: Version): Test =>
    (version) =>
      compare(version, ceiling) < 0;
  const isWithin = (ceiling: Version): Test => {
    const below = isBelow(ceiling);
    return (version) => isFrom(version) && below(version);
  };
  if (precision === 0) return operator === '<' || operator === '>' ? () => false : () => true;
  switch (operator) {
    case '>=':
      return isFrom;
    case '<':
      return isBelow(floor);
    case '>':
      return (version) => compare(version, precision === 3 ? next(floor, 3) : next(floor, precision)) >= 0;
    case '<=':
      return isBelow(next(floor, precision));
    case '^':
      return isWithin(next(floor, Math.min(precision, floor[0] > 0 ? 1 : floor[1] > 0 ? 2 : 3)));
    case '~':
      return isWithin(next(floor, Math.min(precision, 2)));
    default:
      return isWithin(next(floor, precision));
  }
}

/** The first version after all that have the same first `precision` numbers. */
function next([major, minor, patch]: Version, precision: number): Version {
  if (precision === 1) return [major + 1, 0, 0];
  return precision === 2 ? [major, minor + 1, 0] : [major, minor, patch + 1];
}

function compare(left: Version, right: Version): number {
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}
