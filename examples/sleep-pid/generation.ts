/** Counted by whoever commits. */
export const generation: number = 1;
