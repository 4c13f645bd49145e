import { MidflightError } from '../errors.ts';
import type { Home } from '../release/home.ts';
import { verifyRelease } from '../release/verify.ts';

/** Every byte of a release is what its manifest says. Errors: ERR_MIDFLIGHT_RELEASE_ALTERED, with the first file that is not. */
export async function requireWhole(home: Home, release: string): Promise<void> {
  const { problems } = await verifyRelease(home, release);
  const [first] = problems;
  if (first === undefined) return;
  const more = problems.length === 1 ? '' : `, and ${problems.length - 1} more`;
  throw new MidflightError('ERR_MIDFLIGHT_RELEASE_ALTERED', [
    release,
    `${first.path} is ${first.kind}${more}`,
  ]);
}
