<?php
/* The form by a template in plain PHP. */
declare(strict_types=1);

require __DIR__ . '/page.php';

function e(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

[$t, $v] = page();
require __DIR__ . '/templates/form.phtml';
