/** `google`: Google Artifact Registry. */
export class GoogleSettings {}
