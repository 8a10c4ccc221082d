export declare function apiOf(spec: unknown): string
export declare function current(): string
