export const version: string = '1';
