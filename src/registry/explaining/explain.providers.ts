import { ExplainService } from './explain.service.js';
import { HostedExplainer } from './hosted.explainer.js';
import { MirroredExplainer } from './mirrored.explainer.js';
import { StoredContent } from './stored.content.js';

export const explainProviders = [ExplainService, HostedExplainer, MirroredExplainer, StoredContent];
