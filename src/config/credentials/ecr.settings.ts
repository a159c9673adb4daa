/** `ecr`: Amazon ECR. */
export class EcrSettings {}
