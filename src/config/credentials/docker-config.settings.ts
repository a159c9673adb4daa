/** `docker_config`: a config.json of Docker. */
export class DockerConfigSettings {}
