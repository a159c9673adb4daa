import type { INestApplicationContext } from '@nestjs/common';
import type { ComponentChildren } from 'preact';
import type { PageContext } from './page.context.js';

/** What a page shows. */
export interface PageView {
  /** Heads the page, and names its tab. */
  readonly title: string;
  /** 200 unless given. */
  readonly status?: number;
  readonly content: ComponentChildren;
  /** Seconds after which the browser loads it again. */
  readonly refresh?: number;
  /** Under the title. */
  readonly note?: ComponentChildren;
}

/** Another page of this server to go to, with 303. */
export interface PageRedirect {
  /** Path and query. */
  readonly location: string;
}

/** Something to save or to read as it is. */
export interface PageFile {
  readonly type: string;
  readonly body: string | Uint8Array;
  /** Has the browser save it under this name. */
  readonly saveAs?: string;
}

export type PageResult = PageView | PageRedirect | PageFile;

/** One page. What its visitor may not see is as if it did not exist: throw `OciError('NOT_FOUND')`. */
export interface Page {
  /** @throws OciError, which is shown with its status and message */
  show(context: PageContext): PageResult | Promise<PageResult>;
  /** Takes a form that this server has sent to this visitor. */
  submit?(context: PageContext, form: URLSearchParams): PageResult | Promise<PageResult>;
}

/** Makes a page when it is first asked for. @param app has every service of the program */
export type PageFactory = (app: INestApplicationContext) => Page;
