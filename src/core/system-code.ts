/** The system's word for what went wrong (`ENOENT`), where an error came from the system; else undefined. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
