/** Ed25519 keys in the files that OpenSSL reads and writes: PKCS8 PEM for the private one, SPKI PEM for the public. */

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { MidflightError } from '../errors.ts';

/** A key file has some hundred bytes. */
const KEY_BYTES_MAX = 16 * 1024;
/** Bits of a mode by which others than the owner may read. */
const OTHERS_MAY_READ = 0o044;

export interface SigningKey {
  /** Hex sha256 of the public key's SPKI in DER. */
  readonly id: string;
  readonly privateKey: KeyObject;
}

/** Writes a new key pair to `file` and `file.pub`; returns its id. Errors: ERR_MIDFLIGHT_KEY_EXISTS. */
export function generateKey(file: string): string {
  for (const name of [file, `${file}.pub`])
    if (existsSync(name)) throw new MidflightError('ERR_MIDFLIGHT_KEY_EXISTS', [name]);
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  writeNew(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), 0o600);
  writeNew(`${file}.pub`, publicKey.export({ type: 'spki', format: 'pem' }), 0o644);
  return toKeyId(publicKey);
}

/** Reads a private key, for as long as the caller holds it. Errors: ERR_MIDFLIGHT_KEY_INVALID, also where others may read it. */
export function readSigningKey(file: string): SigningKey {
  const privateKey = readKey(file, (text) => createPrivateKey(text));
  if ((statSync(file).mode & OTHERS_MAY_READ) !== 0)
    throw new MidflightError('ERR_MIDFLIGHT_KEY_INVALID', [
      file,
      'others may read it; run "chmod 600" on it',
    ]);
  return { id: toKeyId(createPublicKey(privateKey)), privateKey };
}

/** Reads a public key. A private one is refused: it has no business where trust is kept. Errors: ERR_MIDFLIGHT_KEY_INVALID. */
export function readPublicKey(file: string): KeyObject {
  return readKey(file, (text) => {
    if (text.includes('PRIVATE KEY'))
      throw new Error('it is a private key; name the public one, which "midflight keygen" wrote beside it');
    return createPublicKey(text);
  });
}

/** Hex sha256 of the SPKI in DER: `openssl pkey -pubin -in key.pub -outform DER | sha256sum`. */
export function toKeyId(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** Never what is in the file: the error is shown, and may be kept. */
function readKey(file: string, parse: (text: string) => KeyObject): KeyObject {
  const problem = (what: string, cause?: unknown): MidflightError =>
    new MidflightError('ERR_MIDFLIGHT_KEY_INVALID', [file, what], { cause });
  let key: KeyObject;
  try {
    if (statSync(file).size > KEY_BYTES_MAX) throw new Error('it is too large for a key');
    key = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw problem(error instanceof Error ? error.message : String(error), error);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw problem(`its type is ${key.asymmetricKeyType}, not ed25519`);
  return key;
}

/** Exclusively, so that of two at once one fails. */
function writeNew(file: string, text: string | Buffer, mode: number): void {
  let fd: number;
  try {
    fd = openSync(file, 'wx', mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new MidflightError('ERR_MIDFLIGHT_KEY_EXISTS', [file], { cause: error });
  }
  try {
    writeSync(fd, text.toString());
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
