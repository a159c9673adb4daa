/** Who wants a blob: a client, or another replica for its clients. */
export type Requester = 'client' | 'replica';
