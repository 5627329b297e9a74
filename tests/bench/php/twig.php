<?php
/* The form by Twig, its templates compiled once. */
declare(strict_types=1);

require '/usr/share/php/Twig/autoload.php';
require __DIR__ . '/page.php';

[$t, $v] = page();
$dir = __DIR__ . '/templates';
$twig = new Twig\Environment(new Twig\Loader\FilesystemLoader($dir), ['cache' => "$dir/cache", 'auto_reload' => false]);
echo $twig->render('form.twig', ['t' => $t, 'v' => $v]);
