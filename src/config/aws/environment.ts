export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables of this process, for those of the AWS tools; the other modules read no environment. */
export const environment: Environment = process.env;
