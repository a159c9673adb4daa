/** `github_app`: an installation of a GitHub App. */
export class GithubAppSettings {}
