/** Whether a source is named by an URL that some driver may take, not by a path. */
export const isUrl = (source: string): boolean => /^(?:https?|s3):\/\//i.test(source);
