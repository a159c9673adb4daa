/** Who requests a blob: a client, or another replica on behalf of its clients. */
export type Requester = 'client' | 'replica';
