<?php
/* What the sign-up form needs, made anew for each request as PHP does: texts in the visitor's language, a ticket, an
 * anti-forgery token bound to a cookie; and the headers. config.php comes from the bench. */
declare(strict_types=1);

function texts(array $c): array
{
    $wanted = strtolower(substr($_SERVER['HTTP_ACCEPT_LANGUAGE'] ?? '', 0, 2));
    $code = $c['languages'][$wanted]['code'] ?? 'en-gb';
    return [$code, json_decode(file_get_contents("{$c['locales']}/lang.$code.json"), true, 4, JSON_THROW_ON_ERROR)];
}

function csrf(array $c): string
{
    $browser = $_COOKIE['__Host-signup'] ?? '';
    if (!is_string($browser) || !preg_match('/^[0-9a-f]{32}$/', $browser)) {
        $browser = bin2hex(random_bytes(16));
        header("Set-Cookie: __Host-signup=$browser; Path=/; Secure; HttpOnly; SameSite=Lax", false);
    }
    return substr(hash_hmac('sha256', $browser, $c['secret']), 0, 32);
}

function ticket(array $c, string $code): string
{
    $body = pack('CNCJ', 1, 1, 0, time()) . random_bytes(16) . pack('nC', 7, strlen($code)) . $code . "\0";
    return rtrim(strtr(base64_encode($body . hash_hmac('sha256', $body, $c['secret'], true)), '+/', '-_'), '=');
}

function languages(array $c, string $code): array
{
    $rows = [];
    foreach ($c['languages'] as $lang => $row)
        $rows[] = ['value' => $lang, 'label' => $row['name'], 'url' => "?lang={$row['code']}",
            'on' => $row['code'] === $code ? 'on' : ''];
    return $rows;
}

/* [texts, values] */
function page(): array
{
    $c = require __DIR__ . '/config.php';
    [$code, $t] = texts($c);
    $ticket = ticket($c, $code);
    $v = ['csrf' => csrf($c), 'ticket' => $ticket, 'image_url' => "/signup/captcha/$ticket.jpg",
        'audio_url' => "/signup/captcha/$ticket.wav", 'lang' => substr($code, 0, 2), 'dir' => $t['_dir'],
        'language' => $t['_name'], 'heading' => $t['form_heading'], 'languages' => languages($c, $code)] + $c['values'];
    foreach ($c['headers'] as $header)
        header($header);
    return [$t, $v];
}
