<?php
// Token of each stream, for publishers and for players.
$tokens = ['publish' => ['room1' => 'secret'], 'play' => ['room1' => 'view']];

$wanted = $tokens[$_GET['call'] ?? ''][$_GET['name'] ?? ''] ?? null;
// Only the answer to "start" decides. "done" is information.
$is_start = ($_GET['act'] ?? '') === 'start';
if ($is_start && ($wanted === null || ($_GET['token'] ?? '') !== $wanted)) {
    http_response_code(403);
}
header('Content-Length: 0');
