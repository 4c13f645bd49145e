/** What a configuration may say of plans. */

export const stateLosses = ['warn', 'handoff', 'reject'] as const;
/** What becomes of a swap that would lose module-level state. */
export type StateLoss = (typeof stateLosses)[number];

/** The codes that reject a deploy, by rule or by policy, and that a person may take on himself. */
export const allowableCodes = [
  'MF3002',
  'MF3003',
  'MF3004',
  'MF5001',
  'MF5002',
  'MF5003',
  'MF5004',
  'MF5005',
  'MF5006',
  'MF5007',
] as const;
export type AllowableCode = (typeof allowableCodes)[number];
