/** `azure`: Azure Container Registry. */
export class AzureSettings {}
